"""Versions that work together, by module: what the doctor finds in a healthy environment."""

STACK = {
    'torch': '2.11.0',
    'torchvision': '0.26.0',
    'mmengine': '0.10.7',
    'mmcv': '2.1.0',
    'mmdet': '3.3.0',
    'mmpose': '1.3.2',
    'mmtranspose': '0.2.0',
    'numpy': '1.26.4',
    'cv2': '4.11.0.86',
}

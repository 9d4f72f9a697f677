"""What runs exported files: ONNX Runtime, OpenVINO, TensorRT."""

from mmtranspose.deployment.runtimes.runtime import Runtime, open_runtime

__all__ = ['Runtime', 'open_runtime']

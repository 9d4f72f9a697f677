"""What runs exported files: ONNX Runtime, OpenVINO, TensorRT."""

from mmtranspose.deployment.runtimes.runtime import BACKENDS, Runtime, open_runtime

__all__ = ['BACKENDS', 'Runtime', 'open_runtime']

"""What is exported: modules from images or crops to keypoints, which torch.export can trace."""

from mmtranspose.deployment.graphs.crop_cutting import CropCutting
from mmtranspose.deployment.graphs.pose_graphs import (
    CropsGraph,
    ImageGraph,
    boundary_names,
    require_exportable,
    value_names,
)

__all__ = ['CropCutting', 'CropsGraph', 'ImageGraph', 'boundary_names', 'require_exportable', 'value_names']

"""Draw images of articulated, clothed people with exact labels in COCO's format, without any download."""

from mmtranspose.datasets.synthetic.generator import generate_dataset, make_scene
from mmtranspose.datasets.synthetic.labels import Person
from mmtranspose.datasets.synthetic.placement import DIFFICULTIES
from mmtranspose.datasets.synthetic.scene import Scene, render_scene

__all__ = ['DIFFICULTIES', 'Person', 'Scene', 'generate_dataset', 'make_scene', 'render_scene']

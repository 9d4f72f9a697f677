"""Synthetic people: pictures of articulated, clothed people with exact COCO labels, drawn without any download."""

from .difficulty import DIFFICULTIES
from .generator import generate_dataset, make_scene
from .labels import Person
from .preview import contact_sheet
from .scene import Scene, render_scene

__all__ = ['DIFFICULTIES', 'Person', 'Scene', 'contact_sheet', 'generate_dataset', 'make_scene', 'render_scene']

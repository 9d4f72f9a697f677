"""Bounding boxes of people, and the crops that are cut from them, each with the affine back to its image."""

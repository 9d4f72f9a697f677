"""Moved to ``mmtranspose.crops.boxes``; this path goes with the next release."""

from mmtranspose.crops.boxes import box_problem, check_boxes, load_bboxes, parse_boxes, whole_image, with_scores

__all__ = ['box_problem', 'check_boxes', 'load_bboxes', 'parse_boxes', 'whole_image', 'with_scores']

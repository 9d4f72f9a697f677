"""Single cases: every keypoint of every person with its kind of error, what the errors cost, and a report."""

from mmtranspose.dataset_explanation.cases.case_run import CaseOptions, Cases

__all__ = ['CaseOptions', 'Cases']

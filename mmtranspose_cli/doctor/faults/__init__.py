"""Known faults: one function for each, which looks at an ``Environment`` and returns findings, or none."""

from __future__ import annotations

from mmtranspose_cli.doctor.environment import Environment
from mmtranspose_cli.doctor.faults import arrays, general, openmmlab, python, pytorch
from mmtranspose_cli.doctor.faults.finding import BROKEN, NOTE, OK, Finding
from mmtranspose_cli.doctor.needs import Need

KNOWN = (
    python.too_old,
    python.newer_than_tried,
    pytorch.torch_too_old,
    pytorch.torchvision_of_another_torch,
    pytorch.gpu_not_used,
    openmmlab.mmcv_is_lite,
    openmmlab.mmcv_does_not_load,
    openmmlab.mmcv_twice,
    openmmlab.mmcv_refused_by_mmdet,
    openmmlab.mmpose_missing,
    openmmlab.openmim_pins_setuptools,
    arrays.opencv_wants_numpy_2,
    arrays.opencv_lacks_libraries,
)

__all__ = ['BROKEN', 'NOTE', 'OK', 'Finding', 'diagnose']


def diagnose(env: Environment) -> list[Finding]:
    """All findings, known faults first; what a known fault explains is not reported twice."""
    findings = [finding for fault in KNOWN for finding in fault(env)]
    for find in (general.missing, general.ours_missing, general.out_of_range):
        findings += find(env, unexplained(env, findings))
    troubled = {title for finding in findings if finding.verdict == BROKEN for title in finding.titles}
    findings += general.not_loading(env, unexplained(env, findings), troubled)
    if env.python < python.OLDEST:  # nothing else can be cured in this environment
        rest = [finding._replace(sentence='', steps=()) for finding in findings if finding.titles != ('Python',)]
        findings = python.too_old(env) + rest
    elif env.no_pip and any(finding.steps for finding in findings):
        findings = python.no_pip(env) + [finding._replace(steps=()) for finding in findings]
    return findings


def unexplained(env: Environment, findings: list[Finding]) -> list[Need]:
    """The needs that no finding calls broken yet."""
    told = {title for finding in findings if finding.verdict == BROKEN for title in finding.titles}
    return [need for need in env.needs if need.title not in told]

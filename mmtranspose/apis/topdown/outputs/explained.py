"""What is to be explained of the poses that are found."""

from __future__ import annotations

from mmtranspose.errors import InputError
from mmtranspose.explain import ExplainOptions

PAGE = 'page'


def explain_options(choice: str | None, kpt_thr: float) -> ExplainOptions | None:
    """The explanations that a choice needs: both directions for a page, dependency alone for a joint."""
    return None if choice is None else ExplainOptions(affect=choice == PAGE, score_thr=kpt_thr)


def explained_joint(choice: str | None, dataset_meta: dict) -> int | None:
    """Number of the joint whose maps are laid over the pictures.

    Args:
        choice (str | None): Its name or number; ``'page'`` and None: no joint.
        dataset_meta (dict): As ``model.dataset_meta``.

    Raises:
        InputError: There is no such joint; lists them.
    """
    if choice is None or choice == PAGE:
        return None
    names = [dataset_meta['keypoint_id2name'][k] for k in range(dataset_meta['num_keypoints'])]
    if choice in names:
        return names.index(choice)
    if choice.isdecimal() and int(choice) < len(names):
        return int(choice)
    raise InputError(
        f'--explain {choice}: there is no such joint; choose from {", ".join(names)}, or a number from 0 to '
        f'{len(names) - 1}, or {PAGE}'
    )

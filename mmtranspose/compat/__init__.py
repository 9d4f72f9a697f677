"""Work-arounds for faults of other libraries: one file for each fault, which says when it can go.

Besides, ``patching`` holds what the work-arounds share, ``partial_files`` how files are written whole, and ``upstream``
the libraries' private names that are used.
"""

from importlib.util import find_spec

from mmtranspose.compat import thread_wait
from mmtranspose.compat.patching import when_imported

REQUIRED = ('torch', 'torchvision', 'mmengine', 'mmcv', 'mmpose')


def apply() -> None:
    """Put the work-arounds in place. Runs when ``mmtranspose`` is imported, before mmpose is.

    Raises:
        ImportError: A package that mmtranspose needs is not installed; the message names all that are missing.
    """
    thread_wait.apply()
    missing = [name for name in REQUIRED if find_spec(name) is None]
    if missing:
        raise ImportError(
            f'mmtranspose needs {", ".join(missing)}, which this Python does not have. '
            '`mmtranspose doctor --fix` installs them, after asking; "make setup" in a checkout makes an environment.'
        )
    from mmtranspose.compat import (
        annotations_without_keypoints,
        atomic_write,
        byte_order_mark,
        checkpoint_files,
        circle_radius,
        config_layout,
        find_loader,
        gradio_image_cache,
        ground_truth_converter,
        inferencer_collate,
        manager_lock,
        mmcv_ops,
        openvino_signal_stack,
        openvino_telemetry,
        package_lookup,
        safe_globals,
        safetensors_files,
        spawned_loaders,
        windows_paths,
        xtcocotools_stand_in,
    )

    for fault in (
        xtcocotools_stand_in,
        find_loader,
        mmcv_ops,
        safe_globals,
        atomic_write,
        package_lookup,
        byte_order_mark,
        openvino_telemetry,
    ):
        fault.apply()
    for fault in (checkpoint_files, safetensors_files):
        when_imported('mmengine.runner.checkpoint', fault.apply)
    when_imported('gradio.processing_utils', gradio_image_cache.apply)
    when_imported('openvino', openvino_signal_stack.apply)
    when_imported('mmengine.config.config', config_layout.apply)
    when_imported('mmengine.utils.manager', manager_lock.apply)
    when_imported('mmengine.dataset.base_dataset', spawned_loaders.apply)
    when_imported('mmpose.datasets.datasets.base.base_coco_style_dataset', windows_paths.apply)
    for fault in (annotations_without_keypoints, ground_truth_converter):
        when_imported('mmpose.evaluation.metrics.coco_metric', fault.apply)
    when_imported('mmpose.visualization.opencv_backend_visualizer', circle_radius.apply)
    when_imported('mmengine.runner.runner', apply_to_runner)
    when_imported('mmengine.infer.infer', inferencer_collate.apply)


def apply_to_runner() -> None:
    """Put the work-arounds for mmengine's runner in place."""
    from mmtranspose.compat import bare_state_dict, checkpoint_retention, scheduler_resume

    for fault in (bare_state_dict, checkpoint_retention, scheduler_resume):
        fault.apply()

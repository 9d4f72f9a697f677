"""Training loops for stock mmengine runners, registered in ``mmpose.registry.LOOPS``."""

from mmtranspose.engine.loops.resumable_train_loop import ResumableTrainLoop

__all__ = ['ResumableTrainLoop']

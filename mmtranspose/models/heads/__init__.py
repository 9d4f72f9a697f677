from mmtranspose.models.heads.transpose_head import TransPoseHead

__all__ = ['TransPoseHead']

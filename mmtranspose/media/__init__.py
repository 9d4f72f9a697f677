"""Read images, videos and cameras as frames; write images and videos."""

from mmtranspose.media.frame import Frame, Unreadable, Video
from mmtranspose.media.image_array import UnusableArray, as_image
from mmtranspose.media.image_file import UnreadableImage, read_image, write_animation, write_image
from mmtranspose.media.sources import Source, open_source
from mmtranspose.media.video_writer import VideoWriter

__all__ = [
    'Frame',
    'Source',
    'Unreadable',
    'UnreadableImage',
    'UnusableArray',
    'Video',
    'VideoWriter',
    'as_image',
    'open_source',
    'read_image',
    'write_animation',
    'write_image',
]

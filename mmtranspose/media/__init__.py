"""Images, videos and cameras to frames, and frames to videos."""

from mmtranspose.media.frame import Frame, Unreadable, Video
from mmtranspose.media.image_file import UnreadableImage, read_image
from mmtranspose.media.sources import Source, open_source
from mmtranspose.media.video_writer import VideoWriter

__all__ = ['Frame', 'Source', 'Unreadable', 'UnreadableImage', 'Video', 'VideoWriter', 'open_source', 'read_image']

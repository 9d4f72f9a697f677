"""Which image id belongs to which frame."""

from made_up_frames import still, video_frames

from mmtranspose.inference.image_ids import ImageIds, PathSuffixMap


class TestImageIds:
    def test_a_number_as_name_is_the_id(self):
        ids = ImageIds()
        paths = ['val/000000000139.jpg', 'val/7.png', 'val/street.jpg', 'val/0.jpg', 'val/12a.jpg']
        assert [ids(still(path)) for path in paths] == [139, 7, 0, 1, 2]

    def test_of_an_annotation_file(self):
        ids = ImageIds(PathSuffixMap({'street.jpg': 5, 'b/field.jpg': 0, '3.jpg': 40}))
        paths = ['a/street.jpg', 'b/field.jpg', '3.jpg', 'other.jpg', '5.jpg', 'street.jpg']
        assert [ids(still(path)) for path in paths] == [5, 0, 40, 1, 2, 3]  # the last: not the same twice

    def test_no_id_twice(self):
        ids, paths = ImageIds(), ['a/2.jpg', 'b/2.jpg', 'x.jpg', 'y.jpg', '1.jpg', '3.jpg', '9.jpg']
        given = [ids(still(path)) for path in paths]
        assert given == [2, 0, 1, 3, 4, 5, 9] and len(set(given)) == len(given)

    def test_frames_have_their_numbers(self):
        """Those by which detections of a single video go."""
        assert [ImageIds()(frame) for frame in video_frames('a.mp4', [5])] == [5]
        ids = ImageIds()
        assert [ids(frame) for frame in video_frames('a.mp4', [0, 1, 3, 4])] == [0, 1, 3, 4]  # 2 was broken
        assert [ids(frame) for frame in video_frames('b.mp4', [1, 2])] == [6, 7]
        assert [ids(frame) for frame in video_frames('b.mp4', [0, 1])] == [8, 9]

    def test_frames_among_images(self):
        ids = ImageIds()
        frames = [still('1.jpg'), *video_frames('a.mp4', [0, 1, 2]), still('2.jpg'), still('x.jpg')]
        assert [ids(frame) for frame in frames] == [1, 0, 2, 3, 4, 5]

#!/usr/bin/env bash
# COCO 2017, for our configs: preprocess_coco2017.sh DOWNLOAD_ROOT DATA_ROOT
set -euo pipefail
archives='Images/train2017.zip Images/val2017.zip Images/test2017.zip'
archives+=' Annotations/annotations_trainval2017.zip Annotations/image_info_test2017.zip'
bash "$(dirname "${BASH_SOURCE[0]}")/unpack.sh" COCO_2017 "$archives" "annotations train2017 val2017 test2017" "$@"
echo 'No part of it: the detector boxes in person_detection_results; the section on COCO in the MMPose docs links them'

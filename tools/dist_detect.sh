#!/usr/bin/env bash
# Find people in a dataset on several GPUs of one or more machines, or in several processes on a CPU (gloo).
# Several machines: NNODES, NODE_RANK, MASTER_ADDR and PORT (29500) from the environment; one machine takes a free port.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/launch.sh"
need 8 'DET_CONFIG DET_CHECKPOINT ANN_FILE PROCESSES --img-root DIR --out FILE [options of mmtranspose detect]' \
    'rtmdet_tiny_8xb32-300e_coco zoo person_keypoints_val2017.json 4 --img-root val2017 --out person_detections.json' "$@"
distributed "$4" tools/detect.py "$1" "$2" "$3" "${@:5}"

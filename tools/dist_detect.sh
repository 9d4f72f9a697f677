#!/usr/bin/env bash
# Find people in a dataset on several GPUs of one or more machines, or in several processes on a CPU (gloo).
# Several machines: NNODES, NODE_RANK, MASTER_ADDR and PORT (29500) from the environment; one machine takes a free port.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/launch.sh"
need 6 'ANN_FILE PROCESSES --img-root DIR --out FILE [options of mmtranspose detect]' \
    'person_keypoints_val2017.json 4 --img-root val2017 --out person_detections.json' "$@"
distributed_words 3 tools/detect.py "$@"

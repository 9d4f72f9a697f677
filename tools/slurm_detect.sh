#!/usr/bin/env bash
# Detect people in a dataset under Slurm; GPUS, GPUS_PER_NODE (8 each), CPUS_PER_TASK (5) and SRUN_ARGS from the environment.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/launch.sh"
need 7 'PARTITION JOB_NAME ANN_FILE --img-root DIR --out FILE [options of mmtranspose detect]' \
    'gpu det person_keypoints_val2017.json --img-root val2017 --out person_detections.json' "$@"
slurm "$1" "$2" tools/detect.py "${@:3}"

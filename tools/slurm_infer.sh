#!/usr/bin/env bash
# Estimate poses in many images under Slurm; GPUS, GPUS_PER_NODE (8 each), CPUS_PER_TASK (5) and SRUN_ARGS from the environment.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/launch.sh"
need 5 'PARTITION JOB_NAME CONFIG [CHECKPOINT] --input INPUT... [options of mmtranspose infer]' \
    'gpu poses transpose-r-a3 --input photographs --output-root poses' "$@"
slurm "$1" "$2" tools/infer.py "${@:3}"

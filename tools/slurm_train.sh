#!/usr/bin/env bash
# Train under Slurm; GPUS, GPUS_PER_NODE (8 each), CPUS_PER_TASK (5) and SRUN_ARGS from the environment.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/launch.sh"
need 4 'PARTITION JOB_NAME CONFIG WORK_DIR [options of `mmtranspose train`]' 'gpu tp transpose-r-a3 work_dirs/r-a3 --amp' "$@"
slurm "$1" "$2" tools/train.py "$3" --work-dir "$4" "${@:5}"

#!/usr/bin/env bash
# Explain over a dataset under Slurm; GPUS, GPUS_PER_NODE (8 each), CPUS_PER_TASK (5) and SRUN_ARGS from the environment.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/launch.sh"
need 5 'PARTITION JOB_NAME CONFIG [CHECKPOINT] --output-root DIR [options of mmtranspose explain-dataset]' \
    'gpu tp transpose-r-a3 --output-root explained' "$@"
slurm "$1" "$2" tools/explain_dataset.py "${@:3}"

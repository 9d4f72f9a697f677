#!/usr/bin/env bash
# Test under Slurm; GPUS, GPUS_PER_NODE (8 each), CPUS_PER_TASK (5) and SRUN_ARGS from the environment.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/launch.sh"
need 3 'PARTITION JOB_NAME CONFIG [CHECKPOINT] [options of mmtranspose test]' 'gpu tp transpose-r-a3' "$@"
slurm "$1" "$2" tools/test.py "${@:3}"

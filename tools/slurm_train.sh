#!/usr/bin/env bash
# Train under Slurm; GPUS, GPUS_PER_NODE (8 each), CPUS_PER_TASK (5) and SRUN_ARGS from the environment.
# SIGTERM and SIGUSR1 let training finish the step, write a checkpoint and exit with status 75. With REQUEUE=1 it then
# goes on by itself: a batch job is requeued, and outside of one srun starts again; --resume is added. A batch script:
#   #SBATCH --signal=B:USR1@120 --requeue
#   export REQUEUE=1
#   exec mmtranspose slurm-train gpu tp transpose-r-a3 work_dirs/r-a3
# 120 are the seconds before the time limit; they must suffice for a step and a checkpoint. Without exec the signal would not
# get past the batch script; --signal=USR1@120, without B:, needs no exec.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/launch.sh"
need 4 'PARTITION JOB_NAME CONFIG WORK_DIR [options of mmtranspose train]' 'gpu tp transpose-r-a3 work_dirs/r-a3 --amp' "$@"
if [[ ${REQUEUE:-} != 1 ]]; then
    slurm "$1" "$2" tools/train.py "$3" --work-dir "$4" "${@:5}"
elif [[ " ${*:5}" == *' --resume'* ]]; then
    requeued "$1" "$2" tools/train.py "$3" --work-dir "$4" "${@:5}"
else
    requeued "$1" "$2" tools/train.py "$3" --work-dir "$4" "${@:5}" --resume
fi

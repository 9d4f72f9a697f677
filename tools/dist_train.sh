#!/usr/bin/env bash
# Train on several GPUs of one or more machines, or in several processes on a CPU (gloo).
# Several machines: NNODES, NODE_RANK, MASTER_ADDR and PORT (29500) from the environment; one machine takes a free port.
# SIGTERM and SIGUSR1 reach the processes, which finish the step and write a checkpoint; the exit status is then 75.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/launch.sh"
need 2 'CONFIG PROCESSES [options of mmtranspose train]' 'transpose-r-a3 4 --amp' "$@"
distributed "$2" tools/train.py "$1" "${@:3}"

#!/usr/bin/env bash
# Estimate poses on several GPUs of one or more machines, or in several processes on a CPU, which share the inputs; the
# last one merges the results. The same command goes on after a stop.
# Several machines: NNODES, NODE_RANK, MASTER_ADDR and PORT (29500) from the environment; one machine takes a free port.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/launch.sh"
need 4 'CONFIG [CHECKPOINT] PROCESSES --input INPUT... [options of mmtranspose infer]' \
    'transpose-r-a3 4 --input photographs --output-root poses' "$@"
distributed_words 2 tools/infer.py "$@"

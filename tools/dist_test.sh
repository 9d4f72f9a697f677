#!/usr/bin/env bash
# Test on several GPUs of one or more machines, or in several processes on a CPU (gloo).
# Several machines: NNODES, NODE_RANK, MASTER_ADDR and PORT (29500) from the environment; one machine takes a free port.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/launch.sh"
need 2 'CONFIG [CHECKPOINT] PROCESSES [options of mmtranspose test]' 'transpose-r-a3 4' "$@"
distributed_words 2 tools/test.py "$@"

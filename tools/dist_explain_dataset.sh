#!/usr/bin/env bash
# Explain over a dataset on several GPUs of one or more machines, or in several processes on a CPU (gloo).
# Several machines: NNODES, NODE_RANK, MASTER_ADDR and PORT (29500) from the environment; one machine takes a free port.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/launch.sh"
need 4 'CONFIG [CHECKPOINT] PROCESSES --output-root DIR [options of mmtranspose explain-dataset]' \
    'transpose-r-a3 4 --output-root explained' "$@"
distributed_words 2 tools/explain_dataset.py "$@"

#!/usr/bin/env bash
# Estimate poses in many images and videos in several processes, on the GPUs of one or more machines or on a CPU; each
# process takes its share of the inputs, and the last one merges the results. Run again after a stop, it goes on.
# Several machines: NNODES, NODE_RANK, MASTER_ADDR and PORT (29500) from the environment, and a folder that all see.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/launch.sh"
need 4 'CONFIG [CHECKPOINT] PROCESSES --input INPUT... [options of mmtranspose infer]' \
    'transpose-r-a3 4 --input photographs --output-root poses' "$@"
distributed_words 2 tools/infer.py "$@"

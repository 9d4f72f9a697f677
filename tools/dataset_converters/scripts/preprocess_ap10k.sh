#!/usr/bin/env bash
# AP-10K, for our configs: preprocess_ap10k.sh DOWNLOAD_ROOT DATA_ROOT
set -euo pipefail
bash "$(dirname "${BASH_SOURCE[0]}")/unpack.sh" AP-10K "AP-10K.tar.gz.00" "annotations data" "$@"

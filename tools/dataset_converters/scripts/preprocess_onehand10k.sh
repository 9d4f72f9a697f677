#!/usr/bin/env bash
# OneHand10K, for our configs: preprocess_onehand10k.sh DOWNLOAD_ROOT DATA_ROOT
set -euo pipefail
bash "$(dirname "${BASH_SOURCE[0]}")/unpack.sh" OneHand10K "OneHand10K.tar.gz.00" "annotations Train Test" "$@"

#!/usr/bin/env bash
# MPII, for our configs: preprocess_mpii.sh DOWNLOAD_ROOT DATA_ROOT
set -euo pipefail
bash "$(dirname "${BASH_SOURCE[0]}")/unpack.sh" MPII_Human_Pose "MPII_Human_Pose.tar.gz" "annotations images" "$@"

#!/usr/bin/env bash
# CrowdPose, for our configs: preprocess_crowdpose.sh DOWNLOAD_ROOT DATA_ROOT
set -euo pipefail
bash "$(dirname "${BASH_SOURCE[0]}")/unpack.sh" CrowdPose "CrowdPose.tar.gz" "annotations images" "$@"

#!/usr/bin/env bash
# AI Challenger, for our configs: preprocess_aic.sh DOWNLOAD_ROOT DATA_ROOT
set -euo pipefail
bash "$(dirname "${BASH_SOURCE[0]}")/unpack.sh" AI_Challenger "AI_Challenger.tar.gz" "annotations ai_challenger_keypoint_train_20170902 ai_challenger_keypoint_validation_20170911" "$@"

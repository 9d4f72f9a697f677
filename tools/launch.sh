# What dist_*.sh and slurm_*.sh share; sourced by them.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}"

# need COUNT USAGE EXAMPLE "$@": explain with --help; stop with the usage where fewer than COUNT arguments are given.
need() {
    local count=$1 usage="usage: ${COMMAND:-$0} $2" example=$3 argument
    shift 3
    for argument in "$@"; do
        if [[ $argument == --help || $argument == -h ]]; then
            printf '%s\n\n' "$usage"
            sed -n '2,/^[^#]/s/^# //p' "$0"
            printf '\nexample:\n  %s %s\n' "${COMMAND:-$0}" "$example"
            exit 0
        fi
    done
    if (($# < count)); then
        echo "$usage" >&2
        exit 2
    fi
}

# distributed PROCESSES SCRIPT [arguments]: on this machine or as one of NNODES; signals reach the processes, and the
# exit status is theirs.
distributed() {
    exec "${PYTHON:-python}" -m mmtranspose_cli.launcher "$1" "$root/$2" "${@:3}" --launcher pytorch
}

# slurm PARTITION JOB SCRIPT [arguments]: srun with GPUS tasks, GPUS_PER_NODE on each node.
slurm() {
    # shellcheck disable=SC2086  (SRUN_ARGS is a list)
    srun -p "$1" --job-name="$2" --gres="gpu:${GPUS_PER_NODE:-8}" --ntasks="${GPUS:-8}" \
        --ntasks-per-node="${GPUS_PER_NODE:-8}" --cpus-per-task="${CPUS_PER_TASK:-5}" --kill-on-bad-exit=1 \
        ${SRUN_ARGS:-} "${PYTHON:-python}" -u "$root/$3" "${@:4}" --launcher slurm
}

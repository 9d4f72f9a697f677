# shellcheck shell=bash
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

# distributed_words COUNT SCRIPT WORDS PROCESSES [options]: as distributed; the number of processes comes after 1 to COUNT
# words, since a model may bring its checkpoint along.
distributed_words() {
    local count=$1 script=$2 words=()
    shift 2
    while (($# && count--)) && [[ ! $1 =~ ^[0-9]+$ ]]; do
        words+=("$1")
        shift
    done
    if ((! ${#words[@]})) || [[ ! ${1:-} =~ ^[0-9]+$ ]]; then
        echo "${COMMAND:-$0}: the number of processes is missing, or no number: ${1:-}" >&2
        exit 2
    fi
    distributed "$1" "$script" "${words[@]}" "${@:2}"
}

# slurm PARTITION JOB SCRIPT [arguments]: srun with GPUS tasks, GPUS_PER_NODE on each node; srun passes signals on to
# the tasks, and the exit status is theirs.
slurm() {
    # Runs that share a machine meet at different ports.
    export MASTER_PORT="${PORT:-${MASTER_PORT:-$((20000 + RANDOM % 12768))}}"
    # shellcheck disable=SC2086  # SRUN_ARGS is a list
    exec srun -p "$1" --job-name="$2" --gres="gpu:${GPUS_PER_NODE:-8}" --ntasks="${GPUS:-8}" \
        --ntasks-per-node="${GPUS_PER_NODE:-8}" --cpus-per-task="${CPUS_PER_TASK:-5}" --kill-on-bad-exit=1 \
        ${SRUN_ARGS:-} "${PYTHON:-python}" -u "$root/$3" "${@:4}" --launcher slurm
}

# requeued PARTITION JOB SCRIPT [arguments]: slurm, again and again while training is told to stop and writes a
# checkpoint (status 75): in a new run of the batch job, or of srun outside one.
requeued() {
    local running status signalled stopped=""
    while true; do
        slurm "$@" &
        running=$!
        trap 'signalled=1 stopped=1; kill -USR1 "$running" || true' USR1
        trap 'signalled=1 stopped=1; kill -TERM "$running" || true' TERM INT
        signalled=1
        while [[ $signalled ]]; do # wait ends early when a signal comes
            signalled="" status=0
            wait "$running" || status=$?
        done
        ((status == 75)) || exit "$status"
        if [[ ${SLURM_JOB_ID:-} ]]; then
            # Not a job that was cancelled, or that Slurm itself is requeueing.
            [[ $(scontrol show job "$SLURM_JOB_ID") == *JobState=RUNNING* ]] || exit "$status"
            scontrol requeue "$SLURM_JOB_ID" && exit "$status" # fails in an allocation that is no batch job
        fi
        [[ ! $stopped ]] || exit "$status"
    done
}

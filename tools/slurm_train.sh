#!/usr/bin/env bash
# Train under Slurm, one task per process:
#     [GPUS=8 GPUS_PER_NODE=8 CPUS_PER_TASK=8 SRUN_ARGS=...] bash tools/slurm_train.sh PARTITION JOB_NAME CONFIG [options of tools/train.py]
# GPUS=0 TASKS=4 trains on cores alone.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
. "$here/_cpu_env.sh"
if [ $# -lt 3 ]; then sed -n '2,4s/^# //p' "${BASH_SOURCE[0]}" >&2; exit 2; fi
partition="$1"
job="$2"
config="$3"
shift 3
gpus="${GPUS:-8}"
if [ "$gpus" -gt 0 ]; then
    per_node="${GPUS_PER_NODE:-$((gpus < 8 ? gpus : 8))}"
    tasks="$gpus"
    resources=(--gres="gpu:$per_node")
else
    tasks="${TASKS:-1}"
    per_node="${TASKS_PER_NODE:-$tasks}"
    resources=()
fi
# SRUN_ARGS is split into words on purpose.
# shellcheck disable=SC2086
exec srun --partition="$partition" --job-name="$job" "${resources[@]}" --ntasks="$tasks" \
    --ntasks-per-node="$per_node" --cpus-per-task="${CPUS_PER_TASK:-8}" --kill-on-bad-exit=1 ${SRUN_ARGS:-} \
    "$PYTHON" -u "$here/train.py" "$config" --launcher slurm "$@"

#!/usr/bin/env bash
# Train on several processes of one machine, on its GPUs or, without any, on its cores:
#     bash tools/dist_train.sh CONFIG PROCESSES [options of tools/train.py]
# Several machines: set NNODES, NODE_RANK, MASTER_ADDR and PORT on each of them.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
. "$here/_cpu_env.sh"
if [ $# -lt 2 ]; then sed -n '2,4s/^# //p' "${BASH_SOURCE[0]}" >&2; exit 2; fi
config="$1"
processes="$2"
shift 2
if [ "${NNODES:-1}" -gt 1 ]; then
    meet=(--nnodes "$NNODES" --node-rank "$NODE_RANK" --master-addr "$MASTER_ADDR" --master-port "${PORT:-29500}")
else
    # Finds a free port by itself.
    meet=(--standalone)
fi
exec "$PYTHON" -m mmpt.engine.processes "${meet[@]}" --nproc-per-node "$processes" \
    "$here/train.py" "$config" --launcher pytorch "$@"

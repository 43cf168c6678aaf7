#!/usr/bin/env bash
# Score a checkpoint on several processes of one machine:
#     bash tools/dist_test.sh CONFIG CHECKPOINT PROCESSES [options of tools/test.py]
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
. "$here/_cpu_env.sh"
if [ $# -lt 3 ]; then sed -n '2,3s/^# //p' "${BASH_SOURCE[0]}" >&2; exit 2; fi
config="$1"
checkpoint="$2"
processes="$3"
shift 3
exec "$PYTHON" -m mmpt.engine.processes --standalone --nproc-per-node "$processes" \
    "$here/test.py" "$config" "$checkpoint" --launcher pytorch "$@"

#!/usr/bin/env bash
# From a fresh clone to a report: sets up .venv, then trains and evaluates on generated data.
#     bash tools/quickstart.sh                 everything
#     bash tools/quickstart.sh --smoke         the same in two minutes, too short to learn anything
#     bash tools/quickstart.sh --setup-only    the environment alone
# Other options go to tools/quickstart.py.
set -euo pipefail
setup_only=
rest=()
for argument in "$@"; do
    case "$argument" in
        -h | --help) sed -n '2,6s/^# //p' "${BASH_SOURCE[0]}"; exit 0 ;;
        --setup-only) setup_only=1 ;;
        *) rest+=("$argument") ;;
    esac
done
export MMPT_CALLED_FROM="$PWD" # what a relative --data is relative to
. "$(dirname "${BASH_SOURCE[0]}")/_env.sh"
if [ -n "$setup_only" ]; then exit 0; fi
. "$root/tools/_cpu_env.sh"
exec "$PYTHON" tools/quickstart.py ${rest[@]+"${rest[@]}"}

#!/usr/bin/env bash
# Set up .venv where that is due, then check the style, the types and the behaviour:
#     bash tools/run_tests.sh [arguments of pytest, paths seen from the checkout]
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/_env.sh"
# The models of the tests are so small that threads wait for each other longer than they work.
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
"$PYTHON" -m ruff check .
"$PYTHON" -m ruff format --check .
"$PYTHON" -m mypy
# Whole files go to a worker, since the tests of a file share what they have trained.
exec "$PYTHON" -m pytest -q --durations=10 -n "${MMPT_TEST_WORKERS:-2}" --dist loadfile --no-loadscope-reorder "$@"

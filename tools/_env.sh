# Sourced by run_tests.sh and quickstart.sh: goes to the checkout and makes .venv there, or reuses it when it is up to
# date; leaves its interpreter in PYTHON. MMPT_PYTHON chooses the Python that a new .venv is made with.

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)"
cd "$root"
# What an active environment would leak into ours.
unset VIRTUAL_ENV CONDA_PREFIX PYTHONPATH PYTHONHOME PIP_USER PIP_TARGET PIP_PREFIX PIP_CONSTRAINT
PYTHON="$root/.venv/bin/python"
stamp=.venv/mmpt-ready
# Present from before the first file of .venv until all is installed, so that a half-made one is known as such.
making=.venv/mmpt-making
log=.venv/mmpt-install.log

say() { printf '[env %4ds] %s\n' "$SECONDS" "$*"; }
stop() { printf 'mmpt: %s\n' "$*" >&2; exit 1; }
new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 10))' >/dev/null 2>&1; }
minor() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null; }

find_python() {
    local candidate
    if [ -n "${MMPT_PYTHON:-}" ]; then
        new_enough "$MMPT_PYTHON" || stop "MMPT_PYTHON=$MMPT_PYTHON is not a Python of version 3.10 or later."
        base="$MMPT_PYTHON"
        return
    fi
    for candidate in python3 python3.13 python3.12 python3.11 python3.10; do
        if new_enough "$candidate"; then
            base="$candidate"
            return
        fi
    done
    stop "No Python of version 3.10 or later was found; install one, or name it with MMPT_PYTHON=/path/to/python3."
}

fingerprint() {
    "$PYTHON" - <<'PY' 2>/dev/null
import hashlib, pathlib, sys

files = [*sorted(pathlib.Path('requirements').glob('*.txt')), pathlib.Path('setup.py')]
# The place counts as well: the scripts inside .venv name it, and a copied checkout must not use the old one.
known = [sys.version, str(pathlib.Path.cwd()), *(path.read_text() for path in files)]
print(hashlib.sha256('\0'.join(known).encode()).hexdigest())
PY
}

install() {
    "$PYTHON" -m pip --disable-pip-version-check install --progress-bar off "$@" >>"$log" 2>&1 || install_failed
}

install_failed() {
    if grep -q 'Operation cancelled by user' "$log"; then stop "Interrupted; the next start makes .venv anew."; fi
    tail -n 5 "$log" >&2
    if grep -qE 'No space left|Errno 28' "$log"; then
        stop "The disk is full: .venv needs about 7 GB; make room and run this again."
    elif grep -qE 'Failed to establish|Temporary failure|Network is unreachable|ProxyError|timed out|found for setuptools' "$log"; then
        stop "The package index cannot be reached: check the network (or PIP_INDEX_URL, HTTPS_PROXY) and run this again."
    fi
    stop "Installing failed, $root/$log says why; another Python (MMPT_PYTHON=python3.11) may have what is missing here."
}

make_venv() {
    find_python
    "$base" -c 'import venv, ensurepip' >/dev/null 2>&1 ||
        stop "$base has no venv module: \`apt install python3-venv\` (or python$(minor "$base")-venv) brings it."
    say "making .venv with $base ($("$base" --version 2>&1)); this downloads several GB and takes minutes"
    rm -rf .venv
    mkdir .venv
    touch "$making"
    "$base" -m venv .venv || stop "$base cannot make .venv; on Debian and Ubuntu \`apt install python3-venv\` helps."
}

prepare() {
    local pins=(-c requirements/constraints.txt)
    if [ -f "$stamp" ] && [ -n "${MMPT_PYTHON:-}" ] && [ "$(minor "$MMPT_PYTHON")" != "$(minor "$PYTHON")" ]; then
        make_venv
    elif [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$(fingerprint)" ]; then
        say "reusing .venv"
        return
    elif [ -f "$stamp" ] && new_enough "$PYTHON" && [[ "$(head -n 1 .venv/bin/pip)" == "#!$root/.venv/bin/"* ]]; then
        say "requirements have changed: updating .venv"
    elif [ -d .venv ] && [ ! -f "$stamp" ] && [ ! -f "$making" ]; then
        # Perhaps with the torch of this machine's GPU, so nothing that serves is replaced.
        new_enough "$PYTHON" || stop ".venv holds no Python of version 3.10 or later; remove it and run this again."
        say ".venv was not made by this script: adding what is missing, without the pins"
        pins=()
    else
        make_venv
    fi
    mv -f "$stamp" "$making" 2>/dev/null || touch "$making"
    : >"$log"
    say "installing the requirements"
    install 'setuptools>=70.1'
    install ${pins[@]+"${pins[@]}"} -r requirements/runtime.txt -r requirements/tests.txt
    install --no-deps --no-build-isolation -e .
    "$PYTHON" -c 'import mmpt.registry' || stop "mmpt cannot be imported from .venv; remove .venv and run this again."
    fingerprint >"$making"
    mv -f "$making" "$stamp"
    say ".venv is ready"
}

# Two scripts started together would install into one folder.
exec 9<"$root/tools/_env.sh"
if command -v flock >/dev/null 2>&1 && ! flock -n 9; then
    say "waiting for another script that prepares .venv"
    flock 9
fi
prepare
exec 9<&-

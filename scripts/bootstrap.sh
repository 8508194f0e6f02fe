#!/bin/sh
# Fill `.venv` with what uv.lock says, starting from a Python >= 3.11 and a package index.
#
#   scripts/bootstrap.sh ARGUMENTS, those of `uv sync`: which packages, extras and groups
#
# PYTHON chooses the interpreter of a new environment. An environment that exists is kept.
set -eu
cd "$(dirname "$0")/.."

UV_RANGE='uv>=0.12,<0.14' # as in pyproject.toml, [tool.uv] required-version
VENV=.venv

fail() {
    printf 'bootstrap: %s\n' "$1" >&2
    exit 1
}

is_new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

find_python() {
    for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11 python3.14 python}; do
        if command -v "$candidate" >/dev/null && is_new_enough "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    fail "no Python >= 3.11 was found as \`${PYTHON:-python3}\`; name one: make PYTHON=/path/to/python3"
}

make_venv() {
    python=$(find_python) || exit 1
    rm -rf "$VENV"
    if "$python" -c 'import ensurepip' 2>/dev/null; then
        "$python" -m venv "$VENV"
    elif "$python" -m pip --version >/dev/null 2>&1; then
        # Debian ships Python without ensurepip; a pip outside can fill the environment as well.
        "$python" -m venv --without-pip "$VENV"
        "$python" -m pip --python "$VENV/bin/python" install --quiet pip
    else
        fail "\`$python\` has neither ensurepip nor pip; on Debian: apt-get install python3-venv"
    fi
}

if ! { [ -x "$VENV/bin/python" ] && is_new_enough "$VENV/bin/python"; }; then
    make_venv
fi
if ! "$VENV/bin/uv" --version >/dev/null 2>&1; then
    "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check "$UV_RANGE"
    # Python 3.11 puts it into every environment; nothing here needs it.
    "$VENV/bin/python" -m pip uninstall -qq --yes setuptools
fi

# The system's certificates, where there are any: on a network whose proxy signs for itself pip
# already trusts them, and uv has to be told. Without any, uv uses those it brings.
for bundle in /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/cert.pem; do
    if [ -s "$bundle" ]; then
        export UV_SYSTEM_CERTS="${UV_SYSTEM_CERTS:-true}"
    fi
done

# The interpreter is the environment's own; uv fetches none. What was not asked for is
# removed, except for pip and uv themselves.
UV_PROJECT_ENVIRONMENT=$VENV UV_PYTHON_DOWNLOADS=never UV_PYTHON="$VENV/bin/python" \
    "$VENV/bin/uv" sync --frozen "$@"

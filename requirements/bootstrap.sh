#!/bin/sh
# Makes .local/bootstrap: a virtual environment with uv from requirements/bootstrap.txt. Needs Python 3.11 or 3.12.
# Called by make from the project's root; does nothing when all is there.
set -eu

folder=.local/bootstrap
lock=requirements/bootstrap.txt

if "$folder/bin/python" -c '' 2>/dev/null && cmp -s "$lock" "$folder/installed.txt"; then
    exit 0
fi

fits() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' 2>/dev/null; }

python=
for candidate in ${PYTHON:+"$PYTHON"} python3.12 python3.11 python3; do
    if fits "$candidate"; then
        python=$candidate
        "$candidate" -c 'import venv, ensurepip' 2>/dev/null && break
    fi
done
if [ -z "$python" ]; then
    echo "Python 3.11 or 3.12 is needed, and none of python3.12, python3.11, python3 is one. Install one, or name one: make PYTHON=/path/to/python3.12" >&2
    exit 1
fi
if ! "$python" -c 'import venv, ensurepip' 2>/dev/null; then
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    echo "Python $version is here without its venv module. Install it (Debian, Ubuntu: apt install python$version-venv), or name another Python: make PYTHON=/path/to/python3.12" >&2
    exit 1
fi

echo "Installing uv (20 MB)"
if ! "$folder/bin/python" -m pip --version >/dev/null 2>&1; then
    rm -rf "$folder"
    "$python" -m venv "$folder"
fi
if ! "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --requirement "$lock"; then
    echo "uv could not be installed: pip says why above. Once mended, run the same command again." >&2
    exit 1
fi
cp "$lock" "$folder/installed.txt"

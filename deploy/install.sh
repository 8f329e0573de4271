#!/bin/sh
# Install a pinned, hashed list of packages: install.sh VENV/bin FILE.
# uv takes a third of pip's time. Where it cannot (a mirror or a certificate that only pip is
# told of, a machine without a wheel of it) pip does the same, more slowly.
set -eu
bin=$1 list=$2
pip="$bin/python -m pip install --disable-pip-version-check --quiet --require-hashes"
if [ -x "$bin/uv" ] || $pip -r requirements-uv.txt 2>/dev/null; then
    if "$bin/uv" pip install --python "$bin/python" --quiet --compile-bytecode --require-hashes -r "$list"; then
        exit 0
    fi
    echo "uv could not install $list; trying with pip …" >&2
fi
exec $pip -r "$list"

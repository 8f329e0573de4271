#!/bin/sh
# Prints a Python that Portico runs on (3.11 to 3.13, with venv), or says what to install.
for candidate in ${PYTHON:-python3.11 python3.12 python3.13 python3}; do
    command -v "$candidate" >/dev/null 2>&1 || continue
    "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null || continue
    if ! "$candidate" -c 'import venv, ensurepip' 2>/dev/null; then
        version=$("$candidate" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        without_venv="${without_venv:-$version}"
        continue
    fi
    command -v "$candidate"
    exit 0
done
if [ -n "${without_venv:-}" ]; then
    echo "Python $without_venv is here, but not its venv module. Install it: sudo apt install python$without_venv-venv" >&2
else
    echo "Python 3.11, 3.12 or 3.13 is missing. Install it: sudo apt install python3 python3-venv" >&2
fi
exit 1

#!/usr/bin/env bash
# Make a virtual environment with Greenroom and exactly the tested packages: setup.sh VENV LOCK
set -euo pipefail
venv=$1 lock=$2
here=$(dirname "$0")

# The environment takes 1.8 GB (`du -sh .venv`), and the packages pip has fetched but not yet unpacked 0.7 GB beside it.
rm -rf "$venv/tmp"  # of an installation that was stopped
needed=2600
free=$(df -Pm . | awk 'NR == 2 { print $4 }')
if [ ! -e "$venv/.ready" ] && [ "$free" -lt "$needed" ]; then
    echo "Greenroom's packages need $needed MB where it is installed, and $(pwd) has $free MB left. Free some, or move it." >&2
    exit 1
fi

# What the wheels of Qt and OpenCV need from the system, and what makes the environment.
bash "$here/system.sh" python3 python3-venv libgl1 libegl1 libglib2.0-0 libdbus-1-3 libfontconfig1 libxkbcommon0 \
    libxkbcommon-x11-0 libxcb-cursor0 libxcb-icccm4 libxcb-image0 libxcb-keysyms1 libxcb-randr0 libxcb-render-util0 \
    libxcb-shape0 libxcb-xinerama0 libnss3 fonts-dejavu-core

python=""
for candidate in python3 python3.13 python3.12 python3.11; do
    if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    echo "Greenroom needs Python 3.11 to 3.13; found: $(python3 --version 2>&1). Install one, e.g. python3.12-venv." >&2
    exit 1
fi

echo "Making $venv with $("$python" --version)"
"$python" -m venv "$venv"
echo "Installing the packages of $lock (about 700 MB to download)"
# On many systems /tmp is a part of the memory and too small for them; pip's cache would keep them a second time.
mkdir -p "$venv/tmp"
TMPDIR=$(realpath "$venv/tmp")
export TMPDIR PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
"$venv/bin/pip" install --quiet --requirement "$lock"
"$venv/bin/pip" install --quiet --no-deps --no-build-isolation --editable .
rm -rf "$venv/tmp"

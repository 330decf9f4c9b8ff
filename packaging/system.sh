#!/usr/bin/env bash
# Install Debian packages that are missing: as root at once, else only say which.
set -euo pipefail

command -v dpkg-query >/dev/null || exit 0 # another system: its user has been told by the README
missing=()
for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok installed' || missing+=("$package")
done
if ((${#missing[@]} == 0)); then
    exit 0
fi
if ((EUID != 0)); then
    echo "These system packages are missing; if something fails, run: sudo apt-get install ${missing[*]}"
    exit 0
fi
echo "Installing system packages: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get update -q=2
apt-get install -q=2 -y --no-install-recommends "${missing[@]}" >/dev/null

#!/usr/bin/env bash
# Install Debian packages that are missing: as root at once, else only say which.
set -euo pipefail

if ! command -v dpkg-query >/dev/null; then
    echo "This is not Debian or Ubuntu, so nothing is installed; these packages' counterparts are needed: $*"
    exit 0
fi

installed() {
    dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q '^install ok installed'
}

# Newer releases have renamed some packages for 64-bit time: libglib2.0-0 is libglib2.0-0t64 there.
missing=()
for package in "$@"; do
    installed "$package" || installed "${package}t64" || missing+=("$package")
done
if ((${#missing[@]} == 0)); then
    exit 0
fi
if ((EUID != 0)); then
    echo "These system packages are missing; if something fails, run: sudo apt-get install ${missing[*]}"
    exit 0
fi

export DEBIAN_FRONTEND=noninteractive
apt-get update -q=2
known=()
for package in "${missing[@]}"; do
    if apt-cache show "$package" >/dev/null 2>&1; then
        known+=("$package")
    elif apt-cache show "${package}t64" >/dev/null 2>&1; then
        known+=("${package}t64")
    else
        echo "This system has no package $package; what needs it may fail."
    fi
done
echo "Installing system packages: ${known[*]}"
apt-get install -q=2 -y --no-install-recommends "${known[@]}" >/dev/null

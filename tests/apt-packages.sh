#!/usr/bin/env bash
# Print the Debian packages that the tests need: every list beside them.
cat "$(dirname "$0")"/*/apt-packages.txt | grep -v '^#'

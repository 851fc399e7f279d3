#!/bin/sh
# Installs what is missing, builds lathe and passes the tests.
set -eu
cd "$(dirname "$0")/.."
sh tests/setup.sh test
make -j"$(nproc)" lathe test_programs
make -j"$(nproc)" test

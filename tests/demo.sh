#!/bin/sh
# The whole road in one command: installs what is missing, builds lathe, trains a model on
# Fashion-MNIST, emits it as standalone C, and compares the two on test images.
set -eu
cd "$(dirname "$0")/.."

sh tests/setup.sh run
printf '\n== building lathe\n'
make -s -j"$(nproc)" lathe
sh tests/train_and_emit.sh ./lathe /usr/share/datasets/fashion-mnist run/fashion_cnn 1000

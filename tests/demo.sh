#!/bin/sh
# The whole road in one command: installs what is missing, builds lathe, trains a model on
# Fashion-MNIST, emits it as standalone C, and compares the two on test images.
set -eu
cd "$(dirname "$0")/.."

say() {
    printf '\n== %s\n' "$*"
}

sh tests/setup.sh run
say "building lathe"
make -s -j"$(nproc)" lathe

model=models/fashion_cnn.lua out=run/fashion_cnn images=1000
say "training $model on Fashion-MNIST"
rm -rf "$out"
./lathe train $model --data fashion-mnist --save $out

say "emitting it as C, and building that with cc"
weights=$out/best.safetensors
./lathe emit $model --weights $weights -o $out
cc -std=c99 -O2 -Wall -Wextra -I$out -o $out/predict_images tests/predict_images.c \
    $out/fashion_cnn.c -lm
ls -l $out | awk 'NR > 1 { printf "%10d  %s\n", $5, $9 }'

say "the process and the emitted model on $images test images"
data=/usr/share/datasets/fashion-mnist
# An IDX header of 16 bytes (its second number is the count), then a byte a pixel.
{
    printf '\000\000\010\003\000\000\003\350\000\000\000\034\000\000\000\034'
    gzip -dc $data/t10k-images-idx3-ubyte.gz | tail -c +17 | head -c $((images * 28 * 28))
} >$out/test_images.idx
./lathe predict $model --weights $weights $out/test_images.idx -o $out/predictions.npy \
    >$out/predictions.txt
head -3 $out/predictions.txt
$out/predict_images $out/test_images.idx $out/predictions.npy

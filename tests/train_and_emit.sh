#!/bin/sh
# train_and_emit.sh LATHE DATA OUT IMAGES [OPTION...]: trains models/fashion_cnn.lua on a folder of
# Fashion-MNIST's files (with these options of `lathe train`), emits it as standalone C into the folder
# OUT, and compares the two on so many test images; the exit status is 1 where they differ.
set -eu
lathe=$1 data=$2 out=$3 images=$4
shift 4
model=models/fashion_cnn.lua weights=$out/best.safetensors

say() {
    printf '\n== %s\n' "$*"
}

say "training $model on Fashion-MNIST"
rm -rf "$out"
"$lathe" train $model --data "$data" --save "$out" "$@"

say "emitting it as C, and building that with cc"
"$lathe" emit $model --weights "$weights" --weights-as embed -o "$out"
cc -std=c99 -O2 -Wall -Wextra -I"$out" -o "$out/predict_images" tests/predict_images.c \
    "$out/fashion_cnn.c" -lm
ls -l "$out" | awk 'NR > 1 { printf "%10d  %s\n", $5, $9 }'

say "the process and the emitted model on $images test images"
# An IDX header of 16 bytes (its second number is the count), then a byte a pixel.
{
    printf '\000\000\010\003\000\000'
    printf "\\$(printf %o $((images / 256)))\\$(printf %o $((images % 256)))"
    printf '\000\000\000\034\000\000\000\034'
    gzip -dcf "$data/t10k-images-idx3-ubyte"* | tail -c +17 | head -c $((images * 28 * 28))
} >"$out/test_images.idx"
"$lathe" predict $model --weights "$weights" "$out/test_images.idx" -o "$out/predictions.npy" \
    >"$out/predictions.txt"
head -3 "$out/predictions.txt"
"$out/predict_images" "$out/test_images.idx" "$out/predictions.npy"

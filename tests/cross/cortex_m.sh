#!/bin/sh
# Runs emitted models on bare Cortex-M4 and Cortex-M7 boards of qemu with 1 MB of flash and 256 KB of
# RAM: cnn_small predicts real images as lathe does, fashion_micro trains as on this machine. Writes
# what they printed and a table of their memory, taken from the linker, to build/cross/.
# Needs `sh tests/setup.sh cross` and ./lathe.
set -eu
cd "$(dirname "$0")/../.."

data=/usr/share/datasets/fashion-mnist
here=tests/cross/cortex_m
work=build/cross/cortex_m
table=build/cross/cortex_m.md
own_stack=1024 # of the programs around the models
flags="-std=c99 -O2 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror"
predicted=100 trained=10000 tested=1000

fail() {
    echo "cortex_m.sh: $*" >&2
    exit 1
}

# first_images SET COUNT, first_labels SET COUNT: the bytes behind the header of an IDX file.
first_images() { zcat "$data/$1-images-idx3-ubyte.gz" | tail -c +17 | head -c $((784 * $2)); }
first_labels() { zcat "$data/$1-labels-idx1-ubyte.gz" | tail -c +9 | head -c "$2"; }

# The stack that a model's header says calls need, and what the program itself needs.
stack_of() {
    awk -v own=$own_stack '/_STACK_BYTES/ { n = $3 + own } END { print n + 0 }' "$1"
}

# build BOARD PROGRAM MODEL CPU-FLAGS DATASET-ORIGIN DEFINES: $work/PROGRAM-BOARD.elf
build() {
    stack=$(stack_of "$work/$2/$3.h")
    # shellcheck disable=SC2086
    arm-none-eabi-gcc -mthumb -mfloat-abi=hard $4 $flags $6 -ffunction-sections -I"$here" \
        -I"$work/$2" "$here/$2.c" "$work/$2/$3.c" "$here/startup.c" "$here/board.c" \
        -Wa,-I"$work/$2" "$here/dataset.S" -nostartfiles -T "$here/board.ld" \
        -Wl,--gc-sections,--fatal-warnings,--defsym=STACK_BYTES=$stack,--defsym=DATASET_ORIGIN="$5" \
        -Wl,-Map="$work/$2-$1.map" \
        -lm -o "$work/$2-$1.elf"
}

# run BOARD PROGRAM MACHINE
run() {
    timeout 300 qemu-system-arm -M "$3" -nographic -monitor none -serial none \
        -semihosting-config enable=on,target=native -kernel "$work/$2-$1.elf" </dev/null \
        >"$work/$2-$1.txt" 2>&1 || fail "$2 on $1 ended with status $?: $(tail -1 "$work/$2-$1.txt")"
}

# bytes of a symbol and of a section.
symbol() { arm-none-eabi-nm -S --radix=d "$1" | awk -v name="$2" '$4 == name { n = $2 } END { print n + 0 }'; }
section() { arm-none-eabi-size -A "$1" | awk -v name="$2" '$1 == name { n = $2 } END { print n + 0 }'; }

# row BOARD PROGRAM MODEL: memory by the linker, the stack by what was painted and is overwritten.
row() {
    elf="$work/$2-$1.elf"
    weights=$(symbol "$elf" "$3_weights")
    block=$(symbol "$elf" block)
    text=$(section "$elf" .text) values=$(section "$elf" .data) zeros=$(section "$elf" .bss)
    used=$(awk '/^stack:/ { print $2 }' "$work/$2-$1.txt")
    [ "$used" -lt $stack ] || fail "$2 on $1 used all of its stack"
    echo "| $1 | \`$3\` $4 | $((text + values)) | $((text + values - weights)) | $weights |" \
        "$((values + zeros + stack)) | $block | $((values + zeros - block)) | $used of $stack |" >>"$table"
}

# The class of every image is the one that lathe predicts, its probability is within 1e-5.
check_predictions() {
    sed 's/.*"class":\([0-9]*\),.*"probability":\([^,]*\),"top".*/\1 \2/' "$work/infer/lathe.json" |
        paste -d' ' - "$work/infer/board.txt" | awk '
        { got = $8 + 0; p = $10; difference = p > $2 ? p - $2 : $2 - p
          if ($3 != "image" || got != $1 || difference > 1e-5) { if (!bad++) print "differs: " $0 } }
        END { exit bad || NR == 0 }' || fail "$1 does not predict what lathe predicts"
}

# The curve is the one of the same program on this machine, as far as roundings let it, and learns.
check_curve() {
    paste -d' ' "$work/train/board.txt" "$work/train/host.txt" | awk '
        { loss = $4 / $11; accuracy = $7 - $14
          if (loss < 0.97 || loss > 1.03 || accuracy < -0.03 || accuracy > 0.03) bad = 1
          if (NR == 1) first = $4 + 0
          last = $4 + 0; right = $7 }
        END { exit bad || NR < 5 || last > 0.7 * first || right < 0.78 }' ||
        fail "$1 does not learn as this machine does"
}

mkdir -p "$work/infer" "$work/train"
[ -f "$work/e1/best.safetensors" ] ||
    ./lathe train models/cnn_small.lua --data fashion-mnist --epochs 2 --no-plots --quiet --save "$work/e1" \
        >/dev/null
./lathe emit models/cnn_small.lua --weights "$work/e1/best.safetensors" --target cortex-m \
    -o "$work/infer" >/dev/null
./lathe emit models/fashion_micro.lua --mode training --target cortex-m -o "$work/train" >/dev/null
first_images t10k $predicted >"$work/infer/images.bin"
first_labels t10k $predicted >"$work/infer/labels.bin"
{ first_images train $trained && first_images t10k $tested; } >"$work/train/images.bin"
{ first_labels train $trained && first_labels t10k $tested; } >"$work/train/labels.bin"
{
    printf '\000\000\010\003\000\000\000\144\000\000\000\034\000\000\000\034' # 100 x 28 x 28 bytes
    cat "$work/infer/images.bin"
} >"$work/infer/images.idx"
./lathe predict models/cnn_small.lua --weights "$work/e1/best.safetensors" --json \
    "$work/infer/images.idx" >"$work/infer/lathe.json"
train_defines="-DTRAIN_IMAGES=$trained -DTEST_IMAGES=$tested"
# shellcheck disable=SC2086
cc $flags $train_defines -I"$here" -I"$work/train" -Wa,-I"$work/train" "$here/train.c" \
    "$work/train/fashion_micro.c" "$here/host.c" "$here/board.c" "$here/dataset.S" -lm \
    -o "$work/train/host"
"$work/train/host" | grep '^epoch' >"$work/train/host.txt"

{
    echo "| board | model | flash | code and constants | weights | RAM | block | other data | stack |"
    echo "|---|---|---|---|---|---|---|---|---|"
} >"$table"

# try BOARD MACHINE CPU-FLAGS DATASET-ORIGIN
try() {
    build "$1" infer cnn_small "$3" "$4" "-DIMAGES=$predicted"
    run "$1" infer "$2"
    grep '^image' "$work/infer-$1.txt" >"$work/infer/board.txt"
    check_predictions "$1"
    row "$1" infer cnn_small predicts
    build "$1" train fashion_micro "$3" "$4" "$train_defines"
    run "$1" train "$2"
    grep '^epoch' "$work/train-$1.txt" >"$work/train/board.txt"
    check_curve "$1"
    row "$1" train fashion_micro trains
    echo "$1: $predicted images as lathe predicts them, $(grep right "$work/infer-$1.txt"); training:"
    cat "$work/train/board.txt"
}
try Cortex-M4 mps2-an386 "-mcpu=cortex-m4 -mfpu=fpv4-sp-d16" 0x21000000
try Cortex-M7 mps2-an500 "-mcpu=cortex-m7 -mfpu=fpv5-d16" 0x60000000

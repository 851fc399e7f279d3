#!/bin/sh
# Installs what is missing on Debian 12: `sh tests/setup.sh run` for building and running lathe,
# `sh tests/setup.sh test` for the tests too, `sh tests/setup.sh cross` for `make cross` and
# `sh tests/setup.sh report` for `make report-test` besides, `sh tests/setup.sh experiments` for building
# and `make experiments`. As root, or with sudo. Does nothing when
# all is there.
set -eu

run="gcc libc6-dev make liblua5.4-dev libtcc-dev libopenblas-dev libcjson-dev libpng-dev zlib1g-dev
    protobuf-c-compiler libprotobuf-c-dev gnuplot-nox dataset-fashion-mnist"
test="libcmocka-dev clang tcc
    qemu-user gcc-s390x-linux-gnu libc6-dev-s390x-cross gcc-arm-linux-gnueabihf libc6-dev-armhf-cross"
cross="gcc-aarch64-linux-gnu libc6-dev-arm64-cross gcc-riscv64-linux-gnu libc6-dev-riscv64-cross
    gcc-i686-linux-gnu libc6-dev-i386-cross gcc-powerpc64le-linux-gnu libc6-dev-ppc64el-cross
    gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm cppcheck cmake"
report="chromium"
experiments="python3"

case "${1:-run}" in
run) wanted=$run ;;
test) wanted="$run $test" ;;
cross) wanted="$run $test $cross" ;;
report) wanted="$run $test $report" ;;
experiments) wanted="$run $experiments" ;;
*)
    echo "setup.sh: unknown set '$1'; there are run, test, cross, report and experiments" >&2
    exit 2
    ;;
esac

missing=
for package in $wanted; do
    status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null) || status=
    [ "$status" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

as_root=
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "setup.sh: missing:$missing; run this as root, or install sudo" >&2
        exit 1
    fi
    as_root=sudo
fi
echo "installing:$missing"
# Some images carry no package lists, or old ones: refresh them, then install only what is needed.
$as_root apt-get update -qq
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
    $missing </dev/null >/dev/null

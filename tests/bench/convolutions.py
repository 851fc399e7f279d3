"""How near convolutions of many shapes come to what the machine can do; `make bench-convolutions`.

    /usr/bin/python3 tests/bench/convolutions.py [options]
Writes a small model around each convolution, runs `lathe bench` on it with direct sums, and prints a
Markdown table: for forward, backward-data and weight gradient the share of the least time that this
machine needs, measured in the same run. f: its multiply-adds decide, of taps inside the image (those
outside are not computed); b: the bandwidth for inputs, outputs and weights, once each, in the memory
that holds so much. An f below four fifths of that of the 3x3 convolution beside it is marked.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
# name: kernel size, strides, dilation rate, groups (a divisor of the channels)
KINDS = {
    "3x3": (3, 1, 1, lambda channels: 1),
    "1x1": (1, 1, 1, lambda channels: 1),
    "5x5": (5, 1, 1, lambda channels: 1),
    "3x3 stride 2": (3, 2, 1, lambda channels: 1),
    "3x3 dilation 2": (3, 1, 2, lambda channels: 1),
    "3x3 in groups": (3, 1, 1, lambda channels: next(n for n in (4, 3, 5, 2, 1) if channels % n == 0)),
    "3x3 depthwise": (3, 1, 1, lambda channels: channels),
}
REFERENCE, ENOUGH = "3x3", 0.8
PARTS = ("forward", "backward_data", "weight_gradient")
# The first convolution makes the image's channels, so that the one in question has a gradient.
MODEL = """return model "convolution" {{
  input {{ {size}, {size}, 1 }},
  conv2d {{ {channels}, kernel_size = 1, activation = "relu" }},
  conv2d {{ {channels}, kernel_size = {kernel_size}, strides = {strides}, dilation_rate = {dilation},
           groups = {groups}, padding = "same", activation = "relu", name = "measured" }},
  global_average_pool2d {{}},
  dense {{ 10, activation = "softmax" }},
  training = {{ loss = "sparse_categorical_crossentropy", optimizer = sgd {{ learning_rate = 0.01 }},
               batch_size = {batch} }},
}}
"""


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=list(KINDS))
    parser.add_argument("--channels", nargs="+", type=int, default=[8, 16, 21, 32, 64, 128])
    parser.add_argument("--sizes", nargs="+", type=int, default=[28, 14, 7])
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--backend", choices=["cc", "tcc"], default="cc")
    parser.add_argument("--target", help="instruction set (default: this processor's)")
    parser.add_argument("--seconds", type=int, default=1, help="of one measurement")
    parser.add_argument("--output", default=os.path.join(TOP, "build", "bench-convolutions.md"))
    return parser.parse_args()


def taps_inside(kind, size):
    """The share of the taps along an axis, summed over the results, that lie inside the image."""
    kernel_size, strides, dilation, _ = KINDS[kind]
    results = -(-size // strides)
    reach = (kernel_size - 1) * dilation
    pad = max((results - 1) * strides + reach + 1 - size, 0) // 2
    taps = [i * strides - pad + k * dilation for i in range(results) for k in range(kernel_size)]
    return sum(0 <= tap < size for tap in taps) / len(taps)


def measure(options, folder, kind, channels, size):
    """What `lathe bench --json` prints, or None when it fails."""
    path = os.path.join(folder, "convolution.lua")
    kernel_size, strides, dilation, groups_of = KINDS[kind]
    with open(path, "w", encoding="utf-8") as file:
        file.write(MODEL.format(size=size, channels=channels, batch=options.batch, strides=strides,
                                kernel_size=kernel_size, dilation=dilation,
                                groups=groups_of(channels)))
    command = [os.environ.get("LATHE", os.path.join(TOP, "lathe")), "bench", path, "--backend",
               options.backend, "--no-winograd", "--seconds", str(options.seconds), "--json"]
    if options.target:
        command += ["--target", options.target]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          universal_newlines=True, check=False)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no reason given"]
        print("bench: %s, %d channels: %s" % (kind, channels, lines[-1]), file=sys.stderr)
        return None
    return json.loads(done.stdout)


def shares(answers, kind, channels, size):
    """For each part its share of the limit, and whether multiply-adds are the limit; or None."""
    answer = answers.get((kind, channels, size))
    if not answer:
        return dict.fromkeys(PARTS)
    layer = next(layer for layer in answer["layers"] if layer["name"] == "measured")
    inside = taps_inside(kind, size) ** 2
    found = {}
    for part in PARTS:
        is_compute = part in layer and layer[part]["bound"] == "compute"
        found[part] = part in layer and (layer[part]["share"] * (inside if is_compute else 1), is_compute)
    return found


def cell(answers, kind, channels, size):
    """Share of the limit and which limit it is, for each part: "87f 85f 60f*"."""
    found, reference = (shares(answers, each, channels, size) for each in (kind, REFERENCE))
    texts = []
    for part in PARTS:
        if not found[part]:
            texts.append("-")
            continue
        share, is_compute = found[part]
        is_less = is_compute and reference[part] and share < ENOUGH * reference[part][0]
        texts.append("%.0f%s%s" % (100 * share, "f" if is_compute else "b", "*" if is_less else ""))
    return " ".join(texts)


def page(options, answers):
    first = next((answer for answer in answers.values() if answer), None)
    if not first:
        raise SystemExit("bench: nothing was measured")
    peaks = [answer["machine"]["gflops"]["median"] for answer in answers.values() if answer]
    lines = ["%s, target %s, %s, batch %d, one thread, direct sums; multiply-adds %.0f to %.0f GFLOP/s."
             % (first["processor"], first["target"], first["built_by"], options.batch, min(peaks),
                max(peaks)),
             "Forward, backward-data, weight gradient: percent of what multiply-adds (f, taps inside the "
             "image) or bandwidth (b) allow; *: less than four fifths of 3x3.", ""]
    lines += ["| convolution | image | %s |" % " | ".join("%d channels" % n for n in options.channels),
              "|" + "---|" * (2 + len(options.channels))]
    for kind in options.kinds:
        for size in options.sizes:
            cells = [cell(answers, kind, channels, size) for channels in options.channels]
            lines.append("| %s | %dx%d | %s |" % (kind, size, size, " | ".join(cells)))
    return "\n".join(lines) + "\n"


def main():
    options = parse_options()
    answers = {}
    with tempfile.TemporaryDirectory() as folder:
        for kind in options.kinds:
            for size in options.sizes:
                for channels in options.channels:
                    print("bench: %s, %dx%d, %d channels" % (kind, size, size, channels),
                          file=sys.stderr)
                    answers[kind, channels, size] = measure(options, folder, kind, channels, size)
    text = page(options, answers)
    print(text)
    os.makedirs(os.path.dirname(options.output), exist_ok=True)
    with open(options.output, "w", encoding="utf-8") as file:
        file.write(text)


if __name__ == "__main__":
    main()

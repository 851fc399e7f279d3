"""How near convolutions of many shapes come to what the machine can do; `make bench-convolutions`.

    /usr/bin/python3 tests/bench/convolutions.py [options]
Writes a small model around each convolution, runs `lathe bench` on it with direct sums, and prints a
Markdown table: for forward, backward-data and weight gradient the share of the least time that this
machine needs, measured in the same run. f: its multiply-adds decide; b: the bandwidth for inputs,
outputs and weights, once each, in the memory that holds so much.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
# name: the convolution's options; {groups}, {channels} are those of the shape
KINDS = {
    "3x3": "kernel_size = 3",
    "1x1": "kernel_size = 1",
    "5x5": "kernel_size = 5",
    "3x3 stride 2": "kernel_size = 3, strides = 2",
    "3x3 dilation 2": "kernel_size = 3, dilation_rate = 2",
    "3x3 in groups": "kernel_size = 3, groups = {groups}",
    "3x3 depthwise": "kernel_size = 3, groups = {channels}",
}
PARTS = ("forward", "backward_data", "weight_gradient")
# The first convolution makes the image's channels, so that the one in question has a gradient.
MODEL = """return model "convolution" {{
  input {{ {size}, {size}, 1 }},
  conv2d {{ {channels}, kernel_size = 1, activation = "relu" }},
  conv2d {{ {channels}, {options}, padding = "same", activation = "relu", name = "measured" }},
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


def groups_of(channels):
    """Four groups, or as many as divide the channels."""
    return next(n for n in (4, 3, 5, 2, 1) if channels % n == 0)


def measure(options, folder, kind, channels, size):
    """What `lathe bench --json` prints, or None when it fails."""
    path = os.path.join(folder, "convolution.lua")
    choice = KINDS[kind].format(groups=groups_of(channels), channels=channels)
    with open(path, "w", encoding="utf-8") as file:
        file.write(MODEL.format(size=size, channels=channels, options=choice, batch=options.batch))
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


def part_text(part):
    """Share of the limit and which limit it is: "87f"."""
    return "%.0f%s" % (100 * part["share"], "f" if part["bound"] == "compute" else "b")


def cell(answer):
    if not answer:
        return "-"
    layer = next(layer for layer in answer["layers"] if layer["name"] == "measured")
    return " ".join(part_text(layer[part]) if part in layer else "-" for part in PARTS)


def page(options, answers):
    first = next((answer for answer in answers.values() if answer), None)
    if not first:
        raise SystemExit("bench: nothing was measured")
    peaks = [answer["machine"]["gflops"]["median"] for answer in answers.values() if answer]
    lines = ["%s, target %s, %s, batch %d, one thread, direct sums; multiply-adds %.0f to %.0f GFLOP/s."
             % (first["processor"], first["target"], first["built_by"], options.batch, min(peaks),
                max(peaks)),
             "Forward, backward-data, weight gradient: percent of what multiply-adds (f) or bandwidth "
             "(b) allow.", ""]
    lines += ["| convolution | image | %s |" % " | ".join("%d channels" % n for n in options.channels),
              "|" + "---|" * (2 + len(options.channels))]
    for kind in options.kinds:
        for size in options.sizes:
            cells = [cell(answers[kind, channels, size]) for channels in options.channels]
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

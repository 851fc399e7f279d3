"""How fast emitted C predicts and trains; `make bench-emitted`.

    /usr/bin/python3 tests/bench/emitted.py [--models a1 a3 e1] [--training d0 a1] [options]
On one thread, in turn: a prediction of one sample by the emitted model as the given compiler built
it, by the same model in the process (`lathe bench --backend cc`), and by the same network as textbook
loops, built with the same flags; then a training step on the model's batch, emitted and in the
process. Prints Markdown tables of medians, and of the medians of the ratios within a round.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

import models

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--models", nargs="*", default=["a1", "a3", "e1"], help="that predict")
    parser.add_argument("--training", nargs="*", default=["d0", "d0_1", "c5", "a1", "c7", "e1"],
                        help="models that train")
    parser.add_argument("--compiler", default="gcc -std=c99 -O3 -march=native")
    parser.add_argument("--target", default="x86-64-v4", help="of `lathe emit`")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.3, help="of the program in a round")
    parser.add_argument("--output", default=os.path.join(TOP, "build", "bench-emitted.md"))
    return parser.parse_args()


# Textbook loops: images are [height][width][channels], kernels [y][x][channel][filter].
CONVOLUTION = """
static void layer_{n}(const float *in, const float *kernel, const float *bias, float *out) {{
    for (int y = 0; y < {height}; y++)
        for (int x = 0; x < {width}; x++)
            for (int f = 0; f < {filters}; f++) {{
                float sum = bias[f];
                for (int ky = 0; ky < {size}; ky++)
                    for (int kx = 0; kx < {size}; kx++) {{
                        const int iy = y + ky - {before}, ix = x + kx - {before};
                        if (iy < 0 || iy >= {in_height} || ix < 0 || ix >= {in_width}) continue;
                        for (int c = 0; c < {channels}; c++)
                            sum += in[(iy * {in_width} + ix) * {channels} + c] *
                                   kernel[((ky * {size} + kx) * {channels} + c) * {filters} + f];
                    }}
                out[(y * {width} + x) * {filters} + f] = {activation};
            }}
}}
"""
POOL = """
static void layer_{n}(const float *in, float *out) {{
    for (int y = 0; y < {height}; y++)
        for (int x = 0; x < {width}; x++)
            for (int c = 0; c < {channels}; c++) {{
                float most = -INFINITY;
                for (int py = 0; py < {size}; py++)
                    for (int px = 0; px < {size}; px++) {{
                        const int iy = y * {size} + py, ix = x * {size} + px;
                        if (iy >= {in_height} || ix >= {in_width}) continue;
                        const float value = in[(iy * {in_width} + ix) * {channels} + c];
                        if (value > most) most = value;
                    }}
                out[(y * {width} + x) * {channels} + c] = most;
            }}
}}
"""
DENSE = """
static void layer_{n}(const float *in, const float *kernel, const float *bias, float *out) {{
    for (int u = 0; u < {units}; u++) {{
        float sum = bias[u];
        for (int i = 0; i < {inputs}; i++) sum += in[i] * kernel[i * {units} + u];
        out[u] = {activation};
    }}
}}
"""
SOFTMAX = """
static void softmax(float *values, int count) {{
    float most = values[0], sum = 0.0f;
    for (int i = 1; i < count; i++) if (values[i] > most) most = values[i];
    for (int i = 0; i < count; i++) sum += values[i] = expf(values[i] - most);
    for (int i = 0; i < count; i++) values[i] /= sum;
}}
"""
ACTIVATIONS = {"relu": "sum > 0.0f ? sum : 0.0f", "sigmoid": "1.0f / (1.0f + expf(-sum))",
               "linear": "sum"}


def textbook(model):
    """The C of a network on [28][28][1] as nested loops. Dropout is gone."""
    height, width, channels, flat = 28, 28, 1, None
    functions, calls, largest, parameter = [], [], 784, 0
    for kind, *options in model["layers"]:
        n, weights = len(calls), ""
        if kind == "conv":
            filters, size, padding, activation = options
            before = (size - 1) // 2 if padding == "same" else 0
            loss = 0 if padding == "same" else size - 1
            functions.append(CONVOLUTION.format(
                n=n, height=height - loss, width=width - loss, filters=filters, size=size,
                before=before, in_height=height, in_width=width, channels=channels,
                activation=ACTIVATIONS[activation]))
            height, width, channels = height - loss, width - loss, filters
        elif kind == "pool":
            size, padding = options
            more = size - 1 if padding == "same" else 0
            to = (height + more) // size, (width + more) // size
            functions.append(POOL.format(n=n, height=to[0], width=to[1], channels=channels,
                                         size=size, in_height=height, in_width=width))
            height, width = to
        elif kind == "dense":
            inputs = flat or height * width * channels
            flat, activation = options
            functions.append(DENSE.format(n=n, units=flat, inputs=inputs,
                                          activation=ACTIVATIONS[activation]))
        elif kind in ("drop", "flatten"):
            continue
        else:
            raise SystemExit(f"emitted.py: no textbook loops for {kind} of {model['name']}")
        if kind in ("conv", "dense"):
            weights = f"parameters[{parameter}], parameters[{parameter + 1}], "
            parameter += 2
        calls.append((n, weights))
        largest = max(largest, flat or height * width * channels)
    text = "#include <math.h>\n" + "".join(functions) + SOFTMAX.format()
    text += f"\nstatic float images[2][{largest}];\n"
    text += "\nvoid textbook(const float *const *parameters, const float *x, float *y);\n"
    text += "void textbook(const float *const *parameters, const float *x, float *y) {\n"
    for n, weights in calls:
        source = "x" if n == 0 else f"images[{(n - 1) % 2}]"
        to = "y" if n == len(calls) - 1 else f"images[{n % 2}]"
        text += f"    layer_{n}({source}, {weights}{to});\n"
    return text + f"    softmax(y, {flat});\n}}\n"


def emit(options, name, folder, mode):
    subprocess.run([os.path.join(TOP, "lathe"), "emit", os.path.join(TOP, "models", name + ".lua"),
                    "--mode", mode, "--weights-as", "none", "--target", options.target, "-o", folder],
                   check=True, stdout=subprocess.DEVNULL)


def build(options, name, folder, sources):
    """A program around one emitted model."""
    program = os.path.join(folder, name)
    subprocess.run(options.compiler.split() + [
        "-I" + folder, "-DNAME=" + name, "-DUPPER=" + name.upper(), f"-DHEADER=\"{name}.h\"",
        os.path.join(folder, name + ".c")] + sources + ["-lm", "-o", program], check=True)
    return program


def run(options, program):
    """The median of each column that a program prints, a line a turn."""
    output = subprocess.run([program, str(options.seconds)], check=True, capture_output=True,
                            text=True).stdout
    turns = [tuple(map(float, line.split())) for line in output.splitlines()]
    return [statistics.median(column) for column in zip(*turns)]


def in_process(name, *arguments):
    """Milliseconds of one call in lathe's process."""
    output = subprocess.run(
        [os.path.join(TOP, "lathe"), "bench", os.path.join(TOP, "models", name + ".lua"),
         "--backend", "cc", "--no-layers", "--json", "--seconds", "1", *arguments],
        check=True, capture_output=True, text=True).stdout
    return json.loads(output)["step_ms"]["median"]


def measure_prediction(options, model, folder):
    """One line of the table."""
    name, one, rounds = model["name"], ("--mode", "inference", "--batch", "1"), []
    emit(options, name, folder, "inference")
    source = os.path.join(folder, "textbook.c")
    with open(source, "w", encoding="utf-8") as file:
        file.write(textbook(model))
    program = build(options, name, folder, [os.path.join(HERE, "emitted.c"), source])
    in_process(name, *one)  # compiles
    for turn in range(options.rounds):
        with models.on_one_processor(turn):
            emitted, loops = run(options, program)
            rounds.append((emitted, in_process(name, *one), loops))
    emitted, process, loops = (statistics.median(column) for column in zip(*rounds))
    return (f"| `{name}` ({model['id']}) | {emitted:.4f} | {process:.4f} | {loops:.4f} | "
            f"{statistics.median(r[0] / r[1] for r in rounds):.2f} | "
            f"{statistics.median(r[2] / r[0] for r in rounds):.1f} |")


def measure_training(options, model, folder):
    name, rounds = model["name"], []
    emit(options, name, folder, "training")
    program = build(options, name, folder, [os.path.join(HERE, "emitted_training.c")])
    in_process(name)
    for turn in range(options.rounds):
        with models.on_one_processor(turn):
            rounds.append((run(options, program)[0], in_process(name)))
    emitted, process = (statistics.median(column) for column in zip(*rounds))
    return (f"| `{name}` ({model['id']}) | {model['batch']} | {emitted:.4f} | {process:.4f} | "
            f"{statistics.median(r[0] / r[1] for r in rounds):.2f} |")


def table(head, names, measure):
    """The lines of a table, which are printed as they come."""
    lines = ["", head, "|---" * (head.count("|") - 1) + "|"] if names else []
    print("\n".join(lines), flush=True)
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            lines.append(measure(models.load(name), folder))
        print(lines[-1], flush=True)
    return lines


def main():
    options = parse_options()
    lines = table("| one prediction, ms | emitted | in the process | textbook loops | "
                  "emitted / process | loops / emitted |", options.models,
                  lambda model, folder: measure_prediction(options, model, folder))
    lines += table("| training step, ms | batch | emitted | in the process | emitted / process |",
                   options.training,
                   lambda model, folder: measure_training(options, model, folder))
    with open(options.output, "w", encoding="utf-8") as file:
        file.write("\n".join(lines).lstrip() + "\n")


if __name__ == "__main__":
    sys.exit(main())

"""The memory of one training step: emitted C beside PyTorch; `make bench-memory`.

    /usr/bin/python3 tests/bench/memory.py [--models a1 d0 ...] [--resident DATA]
The model's own batch. Emitted: the whole block of the caller (weights, optimizer, samples, labels,
workspace), and the workspace beside the least that its schedule allows, as `lathe emit --json` says.
PyTorch, one thread: the most that its tensors take at once (its allocator's account, from the making
of the model on) and how far the process grows beyond what it had before the model, which includes the
scratch memory of its kernels. Each measurement in a process of its own; prints a Markdown table.
--resident compares whole processes instead: the most memory resident during `lathe train` of an epoch
on this data set, which is loaded, and during two steps of PyTorch on one random batch.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

import models

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
MEGABYTE = 1e6


def emitted(model):
    """What `lathe emit --json` says."""
    with tempfile.TemporaryDirectory() as folder:
        output = subprocess.run(
            [os.path.join(TOP, "lathe"), "emit",
             os.path.join(TOP, "models", model["name"] + ".lua"), "--mode", "training", "--json",
             "-o", folder], check=True, capture_output=True, text=True).stdout
    return json.loads(output)


def peer(model, layout):
    """The peak of PyTorch's tensors, and the growth of the process, in bytes."""
    output = subprocess.run(
        [sys.executable, os.path.join(HERE, "peer_torch.py"), "memory", model["name"], "1", layout],
        check=True, capture_output=True, text=True).stdout
    return json.loads(output.splitlines()[-1])


def resident(model, layout, data):
    """The most bytes resident in lathe's training of an epoch, and in PyTorch's steps."""
    output = subprocess.run(
        [os.path.join(TOP, "lathe"), "train", os.path.join(TOP, "models", model["name"] + ".lua"),
         "--data", data, "--epochs", "1", "--json"], check=True, capture_output=True, text=True).stdout
    own = json.loads(output.splitlines()[-1])["peak_memory_bytes"]
    return own, peer(model, layout)["resident_bytes"]


def step_row(model, layout):
    own, torch = emitted(model), peer(model, layout)
    columns = (own["block_bytes"], own["workspace_bytes"], own["workspace_lower_bound"],
               torch["tensor_bytes"], torch["process_bytes"])
    return columns, f"{torch['tensor_bytes'] / own['block_bytes']:.2f}"


def resident_row(model, layout, data):
    own, torch = resident(model, layout, data)
    return (own, torch), f"{own / torch:.2f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--models", nargs="+", default=[m["id"] for m in models.load_all()])
    parser.add_argument("--layout", choices=["contiguous", "channels_last"], default="contiguous")
    parser.add_argument("--resident", metavar="DATA", help="compare whole processes")
    parser.add_argument("--output", default=os.path.join(TOP, "build", "bench-memory.md"))
    options = parser.parse_args()
    heads = ["emitted block", "its workspace", "lower bound", "PyTorch's tensors", "PyTorch's process",
             "tensors / block"]
    if options.resident:
        heads = ["lathe train", "PyTorch", "lathe / PyTorch"]
    lines = ["| training, MB | batch | " + " | ".join(heads) + " |", "|---" * (2 + len(heads)) + "|"]
    print("\n".join(lines), flush=True)
    for name in options.models:
        model = models.load(name)
        columns, ratio = (resident_row(model, options.layout, options.resident) if options.resident
                          else step_row(model, options.layout))
        lines.append(f"| `{model['name']}` ({model['id']}) | {model['batch']} | " +
                     " | ".join(f"{bytes / MEGABYTE:.4g}" for bytes in columns) + f" | {ratio} |")
        print(lines[-1], flush=True)
    with open(options.output, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()

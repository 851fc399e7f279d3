"""Times training steps of PyTorch and lathe in turn and prints the ratio of the medians.

    /usr/bin/python3 tests/pytorch/time_step.py [--model a1] [--threads 1] [--backend cc]

PyTorch runs in both memory layouts (contiguous and channels last), each measurement in a process of
its own, interleaved with `lathe bench`, so that a slow minute of the machine meets all alike. The
ratio is that to PyTorch's better layout. Adam, the model's batch size, random data.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
MODEL_FILES = {"a1": "models/cnn_increasing.lua", "c7": "models/cnn_batch_norm.lua",
               "d0": "models/mnist_mlp.lua", "e1": "models/cnn_small.lua"}
LAYOUTS = ("nchw", "channels_last")


def network(layers):
    from torch import nn
    parts, channels, size = [], 1, 28
    for layer in layers:
        if layer[0] == "conv":
            before, after = (layer[2] - 1) // 2, layer[2] // 2
            if before != after:
                parts.append(nn.ZeroPad2d((before, after, before, after)))
            parts += [nn.Conv2d(channels, layer[1], layer[2], padding=before * (before == after)),
                      nn.ReLU()]
            channels = layer[1]
        elif layer[0] == "bn":
            parts.append(nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01))
        elif layer[0] == "pool":
            parts.append(nn.MaxPool2d(layer[1], ceil_mode=layer[2] == "same"))
            extra = layer[1] - 1 if layer[2] == "same" else 0
            size = (size + extra) // layer[1]
        elif layer[0] == "flatten":
            parts.append(nn.Flatten())
            channels *= size * size
        elif layer[0] == "dense":
            parts.append(nn.Linear(channels, layer[1]))
            if layer[2]:
                parts.append(nn.ReLU())
            channels = layer[1]
    return nn.Sequential(*parts)


def time_torch(model, layout, threads, seconds):
    """Median milliseconds of a step; runs in a process of its own."""
    import torch
    import reference
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    batch, layers = reference.MODELS[model]
    net = network(layers).train()
    x, y = torch.rand(batch, 1, 28, 28), torch.randint(10, (batch,))
    if layout == "channels_last":
        net = net.to(memory_format=torch.channels_last)
        x = x.to(memory_format=torch.channels_last)
    loss_of, optimizer = torch.nn.CrossEntropyLoss(), torch.optim.Adam(net.parameters(), 1e-3)
    times, end = [], time.perf_counter() + seconds
    while len(times) < 13 or time.perf_counter() < end:
        start = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        loss_of(net(x), y).backward()
        optimizer.step()
        times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times[3:])


def run_torch(options, layout):
    # OpenBLAS with pthreads does not follow torch.set_num_threads.
    environment = dict(os.environ, OMP_NUM_THREADS=str(options.threads),
                       OPENBLAS_NUM_THREADS=str(options.threads))
    command = [sys.executable, os.path.abspath(__file__), "--model", options.model, "--threads",
               str(options.threads), "--seconds", str(options.seconds), "--torch", layout]
    result = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE)
    return float(result.stdout)


def run_lathe(options):
    import reference
    lathe = os.environ.get("LATHE", os.path.join(TOP, "lathe"))
    command = [lathe, "bench", os.path.join(TOP, MODEL_FILES[options.model]),
               "--backend", options.backend, "--threads", str(options.threads), "--json",
               "--batch", str(reference.MODELS[options.model][0])]
    result = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    return json.loads(result.stdout)["step_ms"]["median"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="a1", choices=sorted(MODEL_FILES))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of one PyTorch measurement")
    parser.add_argument("--backend", default="cc", choices=("cc", "tcc", "none"))
    parser.add_argument("--torch", choices=LAYOUTS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.torch:
        print(time_torch(options.model, options.torch, options.threads, options.seconds))
        return
    times = {name: [] for name in LAYOUTS + ("lathe",)}
    for _ in range(options.rounds):
        for layout in LAYOUTS:
            times[layout].append(run_torch(options, layout))
        if options.backend != "none":
            times["lathe"].append(run_lathe(options))
        print("  ".join("%s %.2f ms" % (name, values[-1])
                        for name, values in times.items() if values), flush=True)
    medians = {name: statistics.median(values) for name, values in times.items() if values}
    print("medians: " + ", ".join("%s %.2f ms" % item for item in medians.items()))
    if "lathe" in medians:
        better = min(medians[layout] for layout in LAYOUTS)
        print("lathe %s is %.2f times as fast as PyTorch on %d thread(s)"
              % (options.backend, better / medians["lathe"], options.threads))


main()

"""One measurement of PyTorch in a process of its own; prints one JSON object a line.

    peer_torch.py train MODEL THREADS SECONDS contiguous|channels_last    training steps
    peer_torch.py infer MODEL THREADS SECONDS BATCH...     frozen and optimized for inference
    peer_torch.py memory MODEL THREADS contiguous|channels_last           peak of a training step
    peer_torch.py export MODEL FILE.onnx                   for ONNX Runtime
    peer_torch.py version

MODEL is an id or a name of models.txt. Random data, the model's batch size and optimizer.
"""
import json
import sys
import time
import warnings

import models

import torch
from torch import nn

warnings.filterwarnings("ignore")
WARM_UP, FEWEST_STEPS = 3, 5


def network(layers):
    """The layers on [N, 1, 28, 28], ending in logits."""
    activations = {"relu": nn.ReLU, "sigmoid": nn.Sigmoid}
    parts, channels, size = [], 1, 28
    for kind, *options in layers:
        if kind == "conv":
            filters, kernel, padding = options[:3]
            before, after = ((kernel - 1) // 2, kernel // 2) if padding == "same" else (0, 0)
            if before != after:  # Keras puts the extra row and column last
                parts.append(nn.ZeroPad2d((before, after, before, after)))
            parts.append(nn.Conv2d(channels, filters, kernel, padding=before * (before == after)))
            size += before + after + 1 - kernel
            channels = filters
        elif kind == "pool":
            same = options[1] == "same"
            parts.append(nn.MaxPool2d(options[0], ceil_mode=same))
            size = (size + (options[0] - 1 if same else 0)) // options[0]
        elif kind == "mean":
            parts.append(nn.AvgPool2d(options[0]))
            size //= options[0]
        elif kind == "bn":
            parts.append(nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01))
        elif kind == "drop":
            parts.append(nn.Dropout(options[0]))
        elif kind == "flatten":
            parts.append(nn.Flatten())
            channels *= size * size
        elif kind == "dense":
            parts.append(nn.Linear(channels, options[0]))
            channels = options[0]
        if kind in ("conv", "dense") and options[-1] in activations:
            parts.append(activations[options[-1]]())
    return nn.Sequential(*parts)


def parameters(net):
    """All numbers that Keras counts: weights and moving statistics."""
    buffers = [b for name, b in net.named_buffers() if "num_batches" not in name]
    return sum(t.numel() for t in list(net.parameters()) + buffers)


def repeat(work, seconds):
    """Milliseconds of each call, until the time is over; the first calls are not counted."""
    for _ in range(WARM_UP):
        start = time.perf_counter()
        work()
        if time.perf_counter() - start > 0.5:
            break
    times, end = [], time.perf_counter() + seconds
    while len(times) < FEWEST_STEPS or time.perf_counter() < end:
        start = time.perf_counter()
        work()
        times.append((time.perf_counter() - start) * 1e3)
    return times


def report(net, times, **what):
    print(json.dumps(dict(what, step_ms=models.summary(times), steps=len(times),
                          parameters=parameters(net))), flush=True)


def training_step(model, layout):
    """The model and a function that trains it for a step."""
    net = network(model["layers"]).train()
    x, y = torch.rand(model["batch"], 1, 28, 28), torch.randint(10, (model["batch"],))
    if layout == "channels_last":
        net = net.to(memory_format=torch.channels_last)
        x = x.to(memory_format=torch.channels_last)
    optimizer = {"adam": lambda p: torch.optim.Adam(p, 1e-3),
                 "nadam": lambda p: torch.optim.NAdam(p, 1e-3),
                 "sgd": lambda p: torch.optim.SGD(p, 0.01)}[model["optimizer"]](net.parameters())
    loss_of = nn.CrossEntropyLoss()

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss_of(net(x), y).backward()
        optimizer.step()

    return net, step


def train(model, seconds, layout):
    net, step = training_step(model, layout)
    report(net, repeat(step, seconds), layout=layout, batch=model["batch"])


def status_bytes(field):
    """A line of /proc/self/status in bytes: VmRSS, or VmHWM, the most that it was."""
    with open("/proc/self/status", encoding="ascii") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


def tensor_peak(work):
    """The most bytes that tensors made meanwhile take at once: the profiler's account of what each
    operator allocates and frees, in the order of time. (What it frees again itself is not seen.)"""
    with torch.autograd.profiler.profile(profile_memory=True) as profile:
        work()
    now = most = 0
    for event in sorted(profile.function_events, key=lambda event: event.time_range.start):
        now += event.self_cpu_memory_usage
        most = max(most, now)
    return most


def memory(model, layout):
    """Two steps, so that the optimizer's state is there: first for the growth of the process, then
    with the profiler, which needs memory itself."""
    small = dict(model, batch=1, layers=[("conv", 1, 3, "same", "relu"), ("flatten",),
                                         ("dense", 10, "linear")])
    training_step(small, layout)[1]()  # loads libraries
    before = status_bytes("VmRSS")

    def work():
        step = training_step(model, layout)[1]
        step()
        step()

    work()
    resident = status_bytes("VmHWM")
    print(json.dumps({"resident_bytes": resident, "process_bytes": resident - before,
                      "tensor_bytes": tensor_peak(work)}), flush=True)


def infer(model, seconds, batches):
    net = network(model["layers"]).eval().requires_grad_(False)
    for batch in batches:
        x = torch.rand(batch, 1, 28, 28)
        run = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(net, x)))
        with torch.inference_mode():
            report(net, repeat(lambda: run(x), seconds), batch=batch)


def export(model, path):
    names = {"x": {0: "n"}, "y": {0: "n"}}
    torch.onnx.export(network(model["layers"]).eval(), torch.zeros(1, 1, 28, 28), path,
                      input_names=["x"], output_names=["y"], dynamic_axes=names)


def main(mode, *words):
    if mode == "version":
        print(json.dumps({"version": torch.__version__}))
        return
    torch.manual_seed(1)
    model = models.load(words[0])
    if mode == "export":
        export(model, words[1])
        return
    torch.set_num_threads(int(words[1]))
    if mode == "memory":
        memory(model, words[2])
    elif mode == "train":
        train(model, float(words[2]), words[3])
    else:
        infer(model, float(words[2]), [int(word) for word in words[3:]])


if __name__ == "__main__":
    main(*sys.argv[1:])

"""The Markdown page of `make bench`."""
import datetime
import math
import os
import platform
import statistics

LAYOUT_NAMES = {"contiguous": "NCHW", "channels_last": "NHWC"}


def middle(runs, key="median"):
    """Over the rounds: the median of their medians (or of their 10th percentiles); None: no run."""
    return statistics.median(run[key] for run in runs) if runs else None


def milliseconds(value):
    if value is None:
        return "-"
    digits = 4 if value < 0.1 else 3 if value < 1 else 2 if value < 10 else 1 if value < 100 else 0
    return "%.*f" % (digits, value)


def ratio_text(value):
    return "-" if value is None else "%.2f" % value


def ratio(a, b):
    return a / b if a is not None and b is not None else None


def geometric_mean(values):
    values = [value for value in values if value is not None]
    return math.exp(sum(map(math.log, values)) / len(values)) if values else None


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


def better(result, names):
    """The name with the lower median, or None."""
    there = [name for name in names if result.get(name)]
    return min(there, key=lambda name: middle(result[name])) if there else None


def training_table(models, results, threads):
    rows, ratios = [], {"cc": [], "tcc": [], "p10": []}
    for model in models:
        result = results["training", threads, model["id"]]
        layout = better(result, LAYOUT_NAMES)
        peer = result.get(layout, [])
        ours = {backend: result.get(backend, []) for backend in ("cc", "tcc")}
        row = {backend: ratio(middle(peer), middle(ours[backend])) for backend in ours}
        row["p10"] = ratio(middle(peer, "p10"), middle(ours["cc"], "p10"))
        for key, values in ratios.items():
            values.append(row[key])
        rows.append([model["name"] + " (" + model["id"] + ")", str(model["batch"]),
                     milliseconds(middle(peer)) + (" " + LAYOUT_NAMES[layout] if layout else ""),
                     milliseconds(middle(peer, "p10")),
                     milliseconds(middle(ours["cc"])), milliseconds(middle(ours["cc"], "p10")),
                     milliseconds(middle(ours["tcc"])), ratio_text(row["cc"]),
                     ratio_text(row["tcc"]), ratio_text(row["p10"])])
    rows.append(["geometric mean"] + [""] * 6 +
                [ratio_text(geometric_mean(ratios[key])) for key in ("cc", "tcc", "p10")])
    return table(["model", "batch", "PyTorch, ms", "its p10", "lathe cc, ms", "its p10",
                  "lathe tcc, ms", "PyTorch / cc", "PyTorch / tcc", "the same of p10, cc"], rows)


def inference_table(models, results, threads, batch):
    peers = (("torch", "PyTorch"), ("onnxruntime", "ONNX Runtime"))
    rows, ratios = [], {}
    for model in models:
        if ("inference", threads, model["id"]) not in results:
            continue
        result = results["inference", threads, model["id"]][batch]
        ours = middle(result.get("cc", []))
        row = [model["name"] + " (" + model["id"] + ")"]
        row += [milliseconds(middle(result.get(peer, []))) for peer, _ in peers]
        row += [milliseconds(middle(result.get(backend, []))) for backend in ("cc", "tcc")]
        for peer, _ in peers:
            for key in ("median", "p10"):
                if key == "p10" and peer == "torch":
                    continue
                value = ratio(middle(result.get(peer, []), key), middle(result.get("cc", []), key))
                ratios.setdefault((peer, key), []).append(value)
                row.append(ratio_text(value))
        value = ratio(middle(result.get("onnxruntime", [])), middle(result.get("tcc", [])))
        ratios.setdefault(("onnxruntime", "tcc"), []).append(value)
        rows.append(row + [ratio_text(value)])
    keys = [("torch", "median"), ("onnxruntime", "median"), ("onnxruntime", "p10"),
            ("onnxruntime", "tcc")]
    rows.append(["geometric mean"] + [""] * 4 +
                [ratio_text(geometric_mean(ratios[key])) for key in keys])
    return table(["model", "PyTorch, ms", "ONNX Runtime, ms", "lathe cc, ms", "lathe tcc, ms",
                  "PyTorch / cc", "ONNX / cc", "the same of p10", "ONNX / tcc"], rows)


def generic_table(models, results, mode, batch):
    rows, ratios = [], {"openblas": [], "naive": []}
    for model in models:
        if (mode, 1, model["id"]) not in results:
            continue
        result = results[mode, 1, model["id"]]
        result = result if mode == "training" else result[batch]
        row = [model["name"] + " (" + model["id"] + ")", milliseconds(middle(result.get("cc", [])))]
        for name, values in ratios.items():
            time = middle(result.get(name, []))
            values.append(ratio(time, middle(result.get("cc", []))))
            row += [milliseconds(time), ratio_text(values[-1])]
        rows.append(row)
    rows.append(["geometric mean", ""] + [text for values in ratios.values()
                                          for text in ("", ratio_text(geometric_mean(values)))])
    return table(["model", "lathe cc, ms", "im2col + OpenBLAS, ms", "ratio", "naive loops, ms",
                  "ratio"], rows)


def head(runner, options, results):
    """What was measured, on what."""
    flat = [r for key, result in results.items()
            for r in ([result] if key[0] == "training" else result.values())]
    found = {}
    for result in flat:
        found.update({k: v for k, v in result.items() if k.startswith(("processor", "built_by"))})
    one = [rate for key, result in results.items() if key[1] == 1
           for r in ([result] if key[0] == "training" else result.values())
           for rate in r.get("machine", [])]
    peak = ("; multiply-adds on one core while timing, GFLOP/s: median %.0f (p10 %.0f, p90 %.0f)"
            % tuple(statistics.median(rate[key] for rate in one)
                    for key in ("median", "p10", "p90")) if one else "")
    lines = [
        "%s, %s, %d processors, Linux %s%s." % (
            datetime.date.today().isoformat(), found.get("processor", "unknown processor"),
            os.cpu_count(), platform.release(), peak),
        "PyTorch: %s. ONNX Runtime for Node: %s. OpenBLAS core type of all: %s." % (
            runner.torch or "not installed", runner.onnx_runtime or "not installed",
            runner.core or "unknown"),
        "Random data; %d round%s, in which all take turns, each in a process of its own, %d s a "
        "measurement; medians over the rounds of the medians (of the p10s) of steps." % (
            options.rounds, "" if options.rounds == 1 else "s", options.seconds),
    ]
    busy = statistics.median(runner.others)
    lines.append("Other programs kept %.2f processors busy meanwhile (median)%s." % (
        busy, ": the figures, above all on two threads, are not those of a quiet machine"
        if busy > 0.2 else ""))
    for backend in ("cc", "tcc"):
        if "built_by_" + backend in found:
            lines.append("lathe %s: `%s`." % (backend, found["built_by_" + backend]))
    return "\n".join("- " + line for line in lines) + "\n"


def page(runner, options, models, results, batches):
    parts = ["# lathe and its peers\n", head(runner, options, results)]
    if "training" in options.modes:
        parts.append("A training step takes the model's own batch and optimizer; PyTorch's column "
                     "is the better of its two memory layouts. Ratios above 1: lathe is faster.\n")
        for threads in options.threads:
            parts.append("## Training step, %d thread%s\n" % (threads, "s" * (threads > 1)))
            parts.append(training_table(models, results, threads))
    if "inference" in options.modes:
        for batch in batches:
            for threads in options.threads:
                parts.append("## Inference, batch %d, %d thread%s\n" %
                             (batch, threads, "s" * (threads > 1)))
                parts.append(inference_table(models, results, threads, batch))
        parts.append("PyTorch: traced, frozen and optimized for inference (contiguous layout).\n")
    if 1 in options.threads and not options.no_generic:
        for mode in options.modes:
            for batch in batches if mode == "inference" else (None,):
                parts.append("## Against generic kernels: %s%s, 1 thread\n" % (
                    mode, ", batch %d" % batch if batch else ""))
                parts.append(generic_table(models, results, mode, batch))
        parts.append("\"-\": not measured, a step takes too long.\n")
    return "\n".join(parts)

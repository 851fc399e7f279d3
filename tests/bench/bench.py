"""Compares lathe with the peers that are installed, on the models of models/; `make bench` runs it.

    /usr/bin/python3 tests/bench/bench.py [MODEL...] [options]

PyTorch (Debian's python3-torch) and ONNX Runtime (npm onnxruntime-node) each run in processes of
their own, alternating with `lathe bench` in rounds, so that a slow minute of the machine meets all
alike. Prints Markdown tables and writes them to build/bench.md.
"""
import argparse
import contextlib
import fcntl
import json
import os
import resource
import subprocess
import sys
import time

import models
import tables

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.join(TOP, "build")
TORCH = os.path.join(HERE, "peer_torch.py")
ONNX_RUNTIME = os.path.join(HERE, "peer_onnxruntime.mjs")
LAYOUTS = ("contiguous", "channels_last")
INFERENCE_BATCHES = (1, 128)
# Generic kernels are left out where a step would take longer; the rates are pessimistic guesses.
LONGEST_GENERIC_STEP, GENERIC_RATES = 12.0, {"naive": 1.2e9, "openblas": 8e9}
# PyTorch's slower layout is not timed again in the next round when it is so many times slower.
SLOWER_LAYOUT = 1.25


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("models", nargs="*", metavar="MODEL",
                        help="ids of models.txt or names of models/ (default: all)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=1, help="of one measurement (peers' inference: half)")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--modes", nargs="+", default=["training", "inference"],
                        choices=["training", "inference"])
    parser.add_argument("--no-peers", action="store_true", help="lathe alone")
    parser.add_argument("--no-generic", action="store_true", help="no generic kernels")
    parser.add_argument("--output", default=os.path.join(BUILD, "bench.md"))
    parser.add_argument("--lock", default=os.environ.get("BENCH_LOCK"), metavar="FILE",
                        help="hold this lock (flock) during each measurement")
    return parser.parse_args()


def busy_seconds():
    """Processor time that all programs have used, and our children."""
    with open("/proc/stat", encoding="utf-8") as stat:
        fields = [int(word) for word in stat.readline().split()[1:9]]
    ours = resource.getrusage(resource.RUSAGE_CHILDREN)
    everyone = sum(fields[i] for i in (0, 1, 2, 5, 6)) / os.sysconf("SC_CLK_TCK")
    return everyone - ours.ru_utime - ours.ru_stime


# PyTorch takes and frees the tensors of a step. Where libc gives that memory back to the system, each
# step pays for it with page faults, on some virtual machines three quarters of its time (d3: 100 to 170
# ms instead of 28): the peers' memory stays with them.
KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(1 << 30), "MALLOC_TRIM_THRESHOLD_": str(1 << 34),
               "MALLOC_TOP_PAD_": str(1 << 26)}


class Runner:
    """Runs measurements, one process at a time."""

    def __init__(self, options):
        self.options = options
        self.lathe = os.environ.get("LATHE", os.path.join(TOP, "lathe"))
        self.python = os.environ.get("PYTHON", "/usr/bin/python3")
        self.environment = dict(os.environ, PYTHONDONTWRITEBYTECODE="1", **KEEP_MEMORY)
        self.others = []  # processors that other programs kept busy during each measurement
        self.core = self.choose_blas_core()
        self.torch = self.onnx_runtime = None
        if not options.no_peers:
            self.torch = self.version([self.python, TORCH, "version"])
            self.onnx_runtime = self.version(["node", ONNX_RUNTIME, "version"])

    def run(self, command, threads=1, quiet=False):
        """The JSON objects that a command prints, or None when it fails."""
        # OpenBLAS with threads of its own does not follow torch.set_num_threads.
        environment = dict(self.environment, OMP_NUM_THREADS=str(threads),
                           OPENBLAS_NUM_THREADS=str(threads))
        with open(self.options.lock, "w") if self.options.lock else contextlib.nullcontext() as lock:
            if lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
            start, busy = time.time(), busy_seconds()
            try:
                done = subprocess.run(command, env=environment, stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE, universal_newlines=True, check=False)
            except OSError as error:
                done = subprocess.CompletedProcess(command, 1, "", str(error))
            self.others.append(max(0, (busy_seconds() - busy) / (time.time() - start)))
        if done.returncode == 0:
            return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        if not quiet:
            lines = done.stderr.strip().splitlines() or ["no reason given"]
            print("bench: %s: %s" % (" ".join(command[:4]), lines[-1]), file=sys.stderr)
        return None

    def version(self, command):
        answer = self.run(command, quiet=True)
        return answer[0]["version"] if answer else None

    def choose_blas_core(self):
        """The core type of OpenBLAS for all: its own choice, whatever the environment says; or
        SkylakeX, where it would choose one without AVX-512 on a processor that has it (older
        versions do not know newer processors)."""
        for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
            self.environment.pop(name, None)
        ask = ("import ctypes\nblas = ctypes.CDLL('libopenblas.so.0')\n"
               "blas.openblas_get_corename.restype = ctypes.c_char_p\n"
               "print('{\"version\": \"%s\"}' % blas.openblas_get_corename().decode())")
        chosen = self.version([self.python, "-c", ask])
        if not chosen:
            return None
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as info:
            flags = next((line.split() for line in info if line.startswith("flags")), [])
        wanted = {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}
        if not wanted <= set(flags) or chosen in ("SkylakeX", "Cooperlake", "SapphireRapids"):
            return chosen
        self.environment["OPENBLAS_CORETYPE"] = "SkylakeX"
        return "SkylakeX (OpenBLAS itself would choose %s)" % chosen

    # --- measurements: each adds to a dictionary of lists of {p10, median, p90} ---

    def lathe_bench(self, results, model, backend, mode, batch, threads):
        command = [self.lathe, "bench", os.path.join(TOP, "models", model["name"] + ".lua"),
                   "--backend", backend, "--mode", mode, "--batch", str(batch), "--threads",
                   str(threads), "--seconds", str(self.options.seconds), "--no-layers", "--json"]
        for answer in self.run(command, threads) or []:
            results.setdefault(answer["backend"], []).append(answer["step_ms"])
            results.setdefault("machine", []).append(answer["machine"]["gflops"])
            results["processor"] = answer["processor"]
            results["built_by_" + answer["backend"]] = answer["built_by"]

    def torch_train(self, results, model, threads, layout):
        command = [self.python, TORCH, "train", model["id"], str(threads),
                   str(self.options.seconds), layout]
        for answer in self.run(command, threads) or []:
            results.setdefault(layout, []).append(answer["step_ms"])
            if answer["parameters"] != model["parameters"]:
                raise SystemExit("bench: %s has %d parameters in models/ and %d in models.txt" %
                                 (model["id"], model["parameters"], answer["parameters"]))

    def torch_infer(self, results, model, threads):
        command = [self.python, TORCH, "infer", model["id"], str(threads),
                   str(self.options.seconds / 2)] + [str(batch) for batch in INFERENCE_BATCHES]
        for answer in self.run(command, threads) or []:
            results[answer["batch"]].setdefault("torch", []).append(answer["step_ms"])

    def onnx_infer(self, results, model, threads):
        path = os.path.join(BUILD, "bench", model["id"] + ".onnx")
        if not os.path.exists(path):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            self.run([self.python, TORCH, "export", model["id"], path])
        command = ["node", ONNX_RUNTIME, "infer", path, str(threads),
                   str(self.options.seconds / 2)]
        for answer in self.run(command + [str(b) for b in INFERENCE_BATCHES], threads) or []:
            results[answer["batch"]].setdefault("onnxruntime", []).append(answer["step_ms"])

    def generic(self, results, model, mode, batch):
        operations = model["macs"] * 2 * batch * (3 if mode == "training" else 1)
        for backend, rate in GENERIC_RATES.items():
            if operations / rate <= LONGEST_GENERIC_STEP:
                self.lathe_bench(results, model, backend, mode, batch, 1)

    def training(self, model, threads):
        results = {}
        is_image = any(layer[0] in ("conv", "pool") for layer in model["layers"] or [])
        layouts = LAYOUTS[:2 if is_image else 1] if self.torch and model["layers"] else ()
        for _ in range(self.options.rounds):
            for layout in layouts:
                self.torch_train(results, model, threads, layout)
            layouts = [a for a in layouts if results.get(a) and not any(
                results[a][-1]["median"] > SLOWER_LAYOUT * results[b][-1]["median"]
                and results[a][-1]["p10"] > SLOWER_LAYOUT * results[b][-1]["p10"]
                for b in layouts if results.get(b))]
            self.lathe_bench(results, model, "specialized", "training", model["batch"], threads)
        if threads == 1 and not self.options.no_generic:
            self.generic(results, model, "training", model["batch"])
        return results

    def inference(self, model, threads):
        results = {batch: {} for batch in INFERENCE_BATCHES}
        for _ in range(max(1, self.options.rounds - 1)):
            if self.torch and model["layers"]:
                self.torch_infer(results, model, threads)
            if self.torch and self.onnx_runtime and model["layers"]:
                self.onnx_infer(results, model, threads)
            for batch in INFERENCE_BATCHES:
                self.lathe_bench(results[batch], model, "specialized", "inference", batch, threads)
        if threads == 1 and not self.options.no_generic:
            for batch in INFERENCE_BATCHES:
                self.generic(results[batch], model, "inference", batch)
        return results


def choose_models(runner, wanted):
    """The models to run: those of models.txt, and others of models/ for lathe alone."""
    chosen = models.load_all()
    known = {model["name"] for model in chosen}
    for file in sorted(os.listdir(os.path.join(TOP, "models"))):
        name = file[:-len(".lua")]
        if file.endswith(".lua") and name not in known:
            chosen.append({"id": name, "name": name, "batch": None, "layers": None})
    for word in wanted:
        if not any(word in (model["id"], model["name"]) for model in chosen):
            raise SystemExit("bench: there is no model \"%s\"; there are: %s"
                             % (word, " ".join(model["id"] for model in chosen)))
    if wanted:
        chosen = [m for m in chosen if m["id"] in wanted or m["name"] in wanted]
    found = []
    for model in chosen:
        file = os.path.join(TOP, "models", model["name"] + ".lua")
        summary = runner.run([runner.lathe, "summary", file, "--json"], quiet=not model["layers"])
        if not summary:
            continue  # a module that models share
        if model["batch"] not in (None, summary[0]["batch"]):
            raise SystemExit("bench: %s: batch %d in models.txt, %d in models/" %
                             (model["id"], model["batch"], summary[0]["batch"]))
        found.append(dict(model, batch=summary[0]["batch"], macs=summary[0]["macs"],
                          parameters=summary[0]["parameters"]))
    return found


def show_progress(text):
    """On a terminal, one line that is written over."""
    if sys.stderr.isatty():
        print("\r\033[K" + text, end="", file=sys.stderr, flush=True)


def main():
    options = parse_options()
    runner = Runner(options)
    chosen = choose_models(runner, options.models)
    results, start = {}, time.time()
    for mode in options.modes:
        for threads in options.threads:
            for model in chosen:
                show_progress("%s, %d thread%s: %s (%.0f s so far)" % (
                    mode, threads, "" if threads == 1 else "s", model["id"], time.time() - start))
                if mode == "training":
                    results[mode, threads, model["id"]] = runner.training(model, threads)
                elif model["id"] != "d0_1":  # the same network as d0
                    results[mode, threads, model["id"]] = runner.inference(model, threads)
    show_progress("")
    text = tables.page(runner, options, chosen, results, INFERENCE_BATCHES)
    os.makedirs(os.path.dirname(os.path.abspath(options.output)), exist_ok=True)
    with open(options.output, "w", encoding="utf-8") as file:
        file.write(text)
    print(text, end="")
    print("written to %s in %.0f s" % (options.output, time.time() - start), file=sys.stderr)


if __name__ == "__main__":
    main()

"""Runs the published experiments of experiments.json and prints the table of models/README.md.

    /usr/bin/python3 tests/experiments/experiments.py [ID...] [options]     (make experiments)

Each result is a file in build/experiments; what stands there is not run again, and a run that was
stopped goes on from its last epoch. Rows marked heavy run in part unless --heavy is given.
`--speed` measures instead the seconds of an epoch, with all threads, of the rows for which they were
published: for a machine that does nothing else.

A row of experiments.json is a training ("model"), cross-validated with "folds", or a "sweep":
    parameters              trainable and not, by Keras's formulas; ours must be equal
    validation, test, loss  published accuracies and test loss; ours may be 0.003 lower
    limit                   the experiment shows a failure or a decline: our accuracy is at most this
    seconds                 published seconds of an epoch
    options                 further options of `lathe train`
    heavy, part             run only with --heavy; else in part, with these options
"""
import argparse
import concurrent.futures
import json
import os
import shutil
import subprocess
import sys
import time

import table

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
RESULTS = os.path.join(TOP, "build", "experiments")
LATHE = os.path.join(TOP, "lathe")
# Rows that end sooner, by their fastest epoch and with all processors, are trained with more seeds:
# the model's own and these.
SHORT_SECONDS, MORE_SEEDS = 120, (2, 3)  # 1 is the seed of models that name none
SPEED_EPOCHS = 5


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("rows", nargs="*", metavar="ID",
                        help="rows of this id, or whose id begins with this word (default: all)")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)),
                        help="trainings at the same time, one thread each (default: the processors)")
    parser.add_argument("--seeds", type=int, choices=range(1, 2 + len(MORE_SEEDS)),
                        help="trainings of each row (default: 3 of a short row, else 1)")
    parser.add_argument("--heavy", action="store_true", help="run heavy rows in whole")
    parser.add_argument("--speed", action="store_true", help="measure seconds of an epoch instead")
    parser.add_argument("--table", action="store_true", help="run nothing, print the table")
    parser.add_argument("--update", action="store_true",
                        help="run nothing, put the rows that have results here into models/README.md")
    parser.add_argument("--commands", action="store_true", help="run nothing, print the commands")
    return parser.parse_args()


def load_rows(prefixes):
    rows = read(os.path.join(HERE, "experiments.json"))
    chosen = [row for row in rows
              if not prefixes or row["id"] in prefixes or row["id"].split()[0].rstrip(",") in prefixes]
    if not chosen:
        raise SystemExit("no such row among the ids: " + ", ".join(prefixes))
    return chosen


def data_of(row):
    return row.get("data") or ("mnist" if row["id"][0] in "ABD" else "fashion-mnist")


def command(row, heavy):
    """What a user types to run a row."""
    if "sweep" in row:
        words = ["sweep", "models/sweeps/" + row["sweep"] + ".lua"]
    else:
        words = ["train", "models/" + row["model"] + ".lua"]
    words += ["--data", data_of(row)] + row.get("options", [])
    if "folds" in row:
        words += ["--folds", str(row["folds"])]
    if row.get("heavy") and not heavy:
        words += row["part"]
    return words


def result_path(row, kind):
    name = "".join(c if c.isalnum() else "_" for c in row["id"]).lower()
    return os.path.join(RESULTS, name + "_" + kind)


def read(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def run(words, folder):
    """The JSON line of a lathe command, with the seconds it took; None, and the messages, if it fails."""
    begin = time.monotonic()
    done = subprocess.run([LATHE] + words, cwd=TOP, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, check=False)
    if done.returncode != 0:
        print("failed: lathe", " ".join(words), "\n" + done.stderr, file=sys.stderr)
        return None
    result = json.loads(done.stdout.strip().splitlines()[-1])
    result["wall_seconds"] = time.monotonic() - begin
    history = os.path.join(folder or "", "history.csv")
    if folder and os.path.exists(history):
        with open(history, encoding="utf-8") as lines:
            names = next(lines).strip().split(",")
            epochs = [dict(zip(names, line.strip().split(","))) for line in lines]
        result["epoch_seconds"] = [float(epoch["seconds"]) for epoch in epochs]
    return result


def write(path, result):
    if result is None:
        return False
    with open(path + ".new", "w", encoding="utf-8") as file:
        json.dump(result, file, indent=1)
    os.replace(path + ".new", path)
    return True


def train(row, heavy, seed, threads=1, jobs=1):
    """Runs one training or sweep unless its result is there; seed None is the model's own."""
    whole = "heavy_%s" if heavy and row.get("heavy") else "seed_%s"
    path = result_path(row, whole % (seed or "own"))
    if os.path.exists(path + ".json"):
        return True
    words = command(row, heavy) + ["--json"]
    if seed is not None:
        words += ["--seed", str(seed)]
    if "sweep" in row:
        words += ["--jobs", str(jobs), "--threads", str(jobs), "--save", path]
        if os.path.isdir(path):
            words.append("--resume")
    else:
        words += ["--threads", str(threads)]
        if "folds" not in row:
            words += ["--save", path]
            if os.path.exists(os.path.join(path, "last.safetensors")):
                words.append("--resume")
    result = run(words, path)
    if result is not None and "sweep" in row:
        result["ranking"] = read(os.path.join(path, "results.json"))
    return write(path + ".json", result)


def is_short(result):
    epochs = result["epoch_seconds"]
    return min(epochs) * len(epochs) < SHORT_SECONDS * len(os.sched_getaffinity(0))


def train_seeds(row, options, threads=1):
    """Runs a row with the model's seed and, when it is short or asked for, with more; says how it went."""
    begin = time.monotonic()
    ok = train(row, options.heavy, None, threads)
    if ok:
        short = not row.get("heavy") and is_short(read(result_path(row, "seed_own") + ".json"))
        seeds = options.seeds or (1 + len(MORE_SEEDS) if short else 1)
        ok = all([train(row, options.heavy, seed, threads) for seed in MORE_SEEDS[:seeds - 1]])
    print("%-28s %s %7.1f s" % (row["id"], "done  " if ok else "FAILED", time.monotonic() - begin),
          flush=True)
    return ok


def run_all(rows, options):
    """Trainings side by side, then sweeps, which run several themselves."""
    singles = [row for row in rows if "model" in row and not row.get("heavy")]
    others = [row for row in rows if row not in singles]
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        ok = all(list(pool.map(lambda row: train_seeds(row, options), singles)))
    for row in others:
        if "sweep" in row:
            done = train(row, options.heavy, None, jobs=options.jobs)
            print("%-28s %s" % (row["id"], "done" if done else "FAILED"), flush=True)
        else:
            done = train_seeds(row, options, threads=options.jobs)
        ok = ok and done
    return ok


def measure_speed(rows, named):
    """Seconds of an epoch, with all threads and nothing beside: a training of a few epochs for each
    row whose seconds were published, or that was named."""
    ok = True
    for row in rows:
        if "model" not in row or "folds" in row or row.get("heavy") or not (named or "seconds" in row):
            continue
        path = result_path(row, "speed")
        folder = path + "_run"
        shutil.rmtree(folder, ignore_errors=True)
        words = command(row, False) + ["--epochs", str(SPEED_EPOCHS), "--json", "--no-plots",
                                       "--no-test", "--save", folder]
        result = run(words, folder)
        shutil.rmtree(folder, ignore_errors=True)
        ok = write(path + ".json", result) and ok
        if result:
            print("%-28s %8.2f s an epoch" % (row["id"], min(result["epoch_seconds"])), flush=True)
    return ok


def main():
    options = parse_options()
    rows = load_rows(options.rows)
    os.makedirs(RESULTS, exist_ok=True)
    ok = True
    if options.commands:
        for row in rows:
            print("%-28s ./lathe %s" % (row["id"], " ".join(command(row, options.heavy))))
        return 0
    if options.speed:
        ok = measure_speed(rows, options.rows)
    elif not options.table and not options.update:
        ok = run_all(rows, options)
    published = os.path.join(TOP, "models", "README.md")
    text, reached = table.render(load_rows([]), result_path, command, table.earlier_lines(published))
    if options.update:
        table.update(published, text)
    with open(os.path.join(RESULTS, "README.md"), "w", encoding="utf-8") as file:
        file.write(text)
    print(text)
    return 0 if ok and reached else 1


if __name__ == "__main__":
    sys.exit(main())

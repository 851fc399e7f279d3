"""What the benchmarks share: models.txt, the models of models/ in words that the peers understand; how
times are summed up; on which processor things run."""
import contextlib
import os

HERE = os.path.dirname(os.path.abspath(__file__))


def number(word):
    try:
        return int(word)
    except ValueError:
        try:
            return float(word)
        except ValueError:
            return word


def load_all():
    """A list of {id, name, batch, optimizer, layers: [(kind, option...)]}, in the file's order."""
    models = []
    with open(os.path.join(HERE, "models.txt"), encoding="utf-8") as lines:
        for line in lines:
            words = line.split()
            if not words or words[0] == "#":
                continue
            models.append({"id": words[0], "name": words[1], "batch": int(words[2]),
                           "optimizer": words[3],
                           "layers": [tuple(number(part) for part in word.split(":"))
                                      for word in words[4:]]})
    return models


def load(name):
    for model in load_all():
        if name in (model["id"], model["name"]):
            return model
    raise SystemExit("no such model: " + name)


def summary(times):
    """10th percentile, median and 90th percentile of milliseconds."""
    times = sorted(times)
    return {key: times[int(part * (len(times) - 1) + 0.5)]
            for key, part in (("p10", 0.1), ("median", 0.5), ("p90", 0.9))}


@contextlib.contextmanager
def on_one_processor(turn):
    """Children run on the same processor, in each turn on another one: on a shared host one may be a
    quarter slower than the other, because its core has other work. Not for PyTorch: with one thread
    and one processor its steps take two to four times as long."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {sorted(allowed)[turn % len(allowed)]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)

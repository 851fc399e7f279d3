"""The table of models/README.md, made of the results that experiments.py keeps."""
import json
import os
import statistics

TOLERANCE = 0.003
SPEED_CELL = 10
MARKS = {True: "yes", False: "**no**", None: ""}


def read_results(row, result_path):
    """The results of a row: those of its seeds, and its speed (None when not measured)."""
    found = []
    for kind in ("heavy_own", "heavy_2", "heavy_3", "seed_own", "seed_2", "seed_3"):
        path = result_path(row, kind) + ".json"
        in_part = kind.startswith("seed") and bool(found) and found[0]["kind"].startswith("heavy")
        if os.path.exists(path) and not in_part:
            with open(path, encoding="utf-8") as file:
                found.append(dict(json.load(file), kind=kind))
    path = result_path(row, "speed") + ".json"
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            return found, min(json.load(file)["epoch_seconds"])
    return found, None


def values_of(results, name):
    """The value of each seed: of a training, of the mean over folds, or of a sweep's best point."""
    values = []
    for result in results:
        if "ranking" in result:
            best = result["ranking"]["points"][0]
            value = best["score"] if result["ranking"]["score"] == name else best.get(name)
        else:
            value = result.get(name)
        if isinstance(value, dict):
            value = value["mean"]
        if value is not None:
            values.append(value)
    return values


def figure(values):
    """The mean, with the spread when there are several seeds."""
    if not values:
        return ""
    if len(values) == 1:
        return "%.4f" % values[0]
    return "%.4f ± %.4f" % (statistics.mean(values), statistics.stdev(values))


def published(row):
    words = []
    if "validation" in row:
        words.append("validation %.4f" % row["validation"])
    if "test" in row:
        words.append("test %.4f" % row["test"])
    if "loss" in row:
        words.append("loss %g" % row["loss"])
    return ", ".join(words) or "none"


def ours(results):
    words = [label + " " + figure(values)
             for label, values in (("validation", values_of(results, "validation_accuracy")),
                                   ("test", values_of(results, "accuracy")),
                                   ("loss", values_of(results, "loss"))) if values]
    return ", ".join(words) or "not run"


def reached(row, results):
    """Whether the mean over seeds reaches what was published; None when nothing was, or not run."""
    if not results:
        return None
    test, validation = values_of(results, "accuracy"), values_of(results, "validation_accuracy")
    if "limit" in row:
        return bool(test) and statistics.mean(test) <= row["limit"]
    if "test" in row and test:
        return statistics.mean(test) >= row["test"] - TOLERANCE
    if "validation" in row and validation:
        return statistics.mean(validation) >= row["validation"] - TOLERANCE
    return None


def earlier_lines(path):
    """The rows of a table written before, by id."""
    with open(path, encoding="utf-8") as file:
        lines = [line.rstrip("\n") for line in file if line.startswith("| ")]
    return {line.split("|")[1].strip(): line for line in lines}


def update(path, text):
    """Puts the table in place of the one in a Markdown file."""
    with open(path, encoding="utf-8") as file:
        lines = file.read().split("\n")
    rows = [i for i, line in enumerate(lines) if line.startswith("|")]
    lines[rows[0]:rows[-1] + 1] = text.rstrip("\n").split("\n")
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(lines))


def render(rows, result_path, command, earlier):
    """The Markdown text, and whether every row that ran has its parameters and its accuracy. A row
    without results is taken from an earlier table, {id: line}, as a speed is that was not measured."""
    lines = ["| id | file | parameters | recipe | published | ours | reached | runs "
             "| s/epoch published | s/epoch ours | command |", "|---|---|---|---|---|---|---|---|---|---|---|"]
    complete = True
    for row in rows:
        results, speed = read_results(row, result_path)
        before = earlier.get(row["id"], "|" * 12).split("|")
        epoch = "%.2f" % speed if speed else before[SPEED_CELL].strip()
        if speed and "seconds" in row:
            epoch += " (%.0fx fewer)" % (row["seconds"] / speed)
        if not results and row["id"] in earlier:
            before[SPEED_CELL] = " %s " % epoch
            lines.append("|".join(before))
            continue
        heavy = bool(results) and results[0]["kind"].startswith("heavy")
        parameters = {result["parameters"] for result in results if "parameters" in result}
        if parameters and parameters != {row["parameters"]}:
            complete = False
            count = "**%s, not %d**" % (parameters, row["parameters"])
        else:
            count = "{:,}".format(row["parameters"]) if "parameters" in row else ""
        ok = reached(row, results)
        partly = row.get("heavy") and not heavy
        if ok is False and not partly:
            complete = False
        file = "sweeps/" + row["sweep"] if "sweep" in row else row["model"]
        runs = "in part: " + " ".join(row["part"]) if partly else "%d" % len(results)
        mark = MARKS[ok] + (" (marked)" if "limit" in row else "")
        lines.append("| %s | %s.lua | %s | %s | %s | %s | %s | %s | %s | %s | `./lathe %s` |" % (
            row["id"], file, count, row["recipe"], published(row), ours(results), mark,
            runs if results else "", row.get("seconds", ""), epoch,
            " ".join(command(row, True))))
    return "\n".join(lines) + "\n", complete

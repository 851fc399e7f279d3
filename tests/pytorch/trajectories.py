"""Writes trajectories.txt: ten training steps of each reference model with each optimizer.

The truth is a run in float64. A run in float32 and some whose images are disturbed by 1e-6 show how
far rounding alone moves it (the line `rounding`: largest relative difference of a loss, largest
difference of a change). Before it writes anything the script checks its hand-written optimizers
against torch.optim.

    /usr/bin/python3 tests/pytorch/trajectories.py        rewrites tests/pytorch/trajectories.txt

A variable's line: number, elements, sum of |final|, change = sum of |final - initial|, and the
projection of final - initial on random directions, sum of (final - initial)[e] * (2 u[e] - 1) with
u from the generator's seed 99, stream = number: a wrong element, sign or order moves it.
"""
import os

import numpy
import torch

import reference


def check_optimizer(model, optimizer):
    quirk = {"twice": True} if optimizer == "nadam" and torch.__version__ < "2" else {}
    ours, _ = reference.run(model, optimizer, torch.float64, **quirk)
    theirs, _ = reference.run(model, optimizer, torch.float64, own=True)
    difference = max(abs(a - b) / abs(b) for a, b in zip(ours, theirs))
    if not difference < 1e-9:
        raise SystemExit("%s %s: differs from torch.optim by %g" % (model, optimizer, difference))
    return difference


def summary(model, finals):
    variables = reference.initial_weights(reference.MODELS[model][1])
    rows = []
    for i, ((_, values, _), final) in enumerate(zip(variables, finals)):
        change = final - values.astype(numpy.float32).astype(numpy.float64).ravel()
        direction = 2.0 * reference.uniform(reference.CHANGE_SEED, 0, i, change.size) - 1.0
        rows.append((i, change.size, numpy.abs(final).sum(), numpy.abs(change).sum(),
                     (change * direction).sum()))
    return rows


def largest_difference(rows, truth):
    """Of changes and projections, relative to the change."""
    return max(max(abs(a[3] - b[3]), abs(a[4] - b[4])) / b[3] for a, b in zip(rows, truth) if b[3])


def rounding(model, optimizer, losses, truth):
    runs = [reference.run(model, optimizer, torch.float32)]
    for seed in range(3):
        disturbance = numpy.random.default_rng(seed)
        runs.append(reference.run(model, optimizer, torch.float64, disturbance=disturbance))
    of_losses = max(abs(a - b) / b for other, _ in runs for a, b in zip(other, losses))
    return of_losses, max(largest_difference(summary(model, finals), truth) for _, finals in runs)


def main():
    torch.set_num_threads(1)
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "trajectories.txt")
    with open(path + ".new", "w") as out:
        for model, optimizer in reference.pairs():
            batch = reference.MODELS[model][0]
            difference = check_optimizer(model, optimizer)
            losses, finals = reference.run(model, optimizer, torch.float64)
            truth = summary(model, finals)
            loss_rounding, change_rounding = rounding(model, optimizer, losses, truth)
            print("%s %-9s torch.optim %.1e, rounding: losses %.1e changes %.1e,"
                  " loss %.3f -> %.3f"
                  % (model, optimizer, difference, loss_rounding, change_rounding,
                     losses[0], losses[-1]))
            out.write("trajectory %s %s batch %d rate %g variables %d\n"
                      % (model, optimizer, batch, reference.rate(model, optimizer), len(truth)))
            out.write("losses %s\n" % " ".join("%.9f" % loss for loss in losses))
            out.write("rounding %.1e %.1e\n" % (loss_rounding, change_rounding))
            for row in truth:
                out.write("%d %d %.9g %.9g %.9g\n" % row)
    os.replace(path + ".new", path)


main()

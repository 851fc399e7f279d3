"""What PyTorch reaches with the recipe of an experiment, for rows where lathe stays below the
published figure: is it the recipe, or is it lathe?

    /usr/bin/python3 tests/experiments/torch_accuracy.py NAME [SEED...]

Prints one JSON object a seed. Keras's initialization (Glorot uniform kernels, zero biases), Adam's
epsilon of 1e-7, fresh order of the samples each epoch, the short batch last. "careful" recipes stop
early, reduce the rate on plateaus and restore the best weights as the model files say. Needs
python3-torch and python3-numpy.
"""
import gzip
import json
import os
import sys

import numpy
import torch
from torch import nn

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "bench"))
import models  # noqa: E402
import peer_torch  # noqa: E402

MNIST = os.path.join(os.environ.get("LATHE_DATA", "data"), "mnist")
FASHION = "/usr/share/datasets/fashion-mnist"
# name: folder, layers (the words of bench/models.txt), optimizer, rate, batch, epochs, held out, careful
RECIPES = {
    "d0": (MNIST, "flatten dense:50:relu dense:50:relu dense:10:linear", "adam", 1e-3, 100, 5, 0, False),
    "d2": (MNIST, "flatten dense:50:relu dense:50:relu dense:50:relu dense:50:relu dense:10:linear",
           "adam", 1e-3, 100, 5, 6000, False),
    "d8_0.0001": (MNIST, "flatten dense:50:relu dense:50:relu dense:10:linear", "adam", 1e-4, 100, 10,
                  6000, False),
    "b1": (MNIST, "conv:32:5:valid:sigmoid flatten dense:10:linear", "sgd", 1e-2, 128, 5, 0, False),
    "b2": (MNIST, "conv:32:5:valid:sigmoid conv:32:5:valid:sigmoid flatten dense:128:sigmoid "
           "dense:10:linear", "sgd", 1e-2, 128, 5, 0, False),
    "b3": (MNIST, "conv:32:5:valid:sigmoid flatten dense:128:sigmoid dense:10:linear", "sgd", 1e-2, 128,
           5, 0, False),
    "c2_32": (FASHION, "flatten dense:32:relu drop:0.2 dense:10:linear", "adam", 1e-3, 128, 300, 12000,
              True),
    "c2_256": (FASHION, "flatten dense:256:relu drop:0.2 dense:10:linear", "adam", 1e-3, 128, 300,
               12000, True),
    "c2_256_128": (FASHION, "flatten dense:256:relu drop:0.2 dense:128:relu drop:0.2 dense:10:linear",
                   "adam", 1e-3, 128, 300, 12000, True),
    "c6_norm": (FASHION, "conv:8:3:same:relu bn pool:2:same flatten dense:10:linear", "adam", 1e-3, 128,
                300, 12000, True),
    "c7_3": (FASHION, "conv:8:3:same:relu bn pool:2:same drop:0.2 conv:16:3:same:relu bn pool:2:same "
             "drop:0.2 conv:32:3:same:relu bn pool:2:same drop:0.2 flatten dense:10:linear", "adam", 1e-3,
             128, 300, 12000, True),
    "c5": (FASHION, "flatten dense:768:relu drop:0.3 dense:10:linear", "adam", 1e-3, 128, 300, 12000,
           True),
}


def read(folder, images, labels):
    """Images [N, 1, 28, 28] in [0, 1] and their classes."""
    arrays = []
    for name, skip in ((images, 16), (labels, 8)):
        path = os.path.join(folder, name)
        with (gzip.open(path + ".gz") if os.path.exists(path + ".gz") else open(path, "rb")) as file:
            arrays.append(torch.from_numpy(numpy.frombuffer(file.read(), numpy.uint8, offset=skip).copy()))
    return arrays[0].reshape(-1, 1, 28, 28).float() / 255, arrays[1].long()


def initialize(net):
    for part in net:
        if isinstance(part, (nn.Linear, nn.Conv2d)):
            nn.init.xavier_uniform_(part.weight)
            nn.init.zeros_(part.bias)


def stratified(labels, held_out):
    """Indices to train on and to validate on, of each class its share."""
    chosen = torch.zeros(len(labels), dtype=torch.bool)
    for label in range(10):
        of_class = torch.nonzero(labels == label).flatten()
        share = round(len(of_class) * held_out / len(labels))
        chosen[of_class[torch.randperm(len(of_class))[:share]]] = True
    return torch.nonzero(~chosen).flatten(), torch.nonzero(chosen).flatten()


def evaluate(net, x, y):
    net.eval()
    with torch.no_grad():
        logits = torch.cat([net(part) for part in x.split(1000)])
    return nn.functional.cross_entropy(logits, y).item(), (logits.argmax(1) == y).float().mean().item()


def train(name, seed):
    folder, layers, optimizer, rate, batch, epochs, held_out, careful = RECIPES[name]
    torch.manual_seed(seed)
    net = peer_torch.network([tuple(models.number(part) for part in word.split(":"))
                              for word in layers.split()])
    initialize(net)
    x, y = read(folder, "train-images-idx3-ubyte", "train-labels-idx1-ubyte")
    test = read(folder, "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
    training, validation = stratified(y, held_out)
    if optimizer == "adam":
        update = torch.optim.Adam(net.parameters(), rate, eps=1e-7)
    else:
        update = torch.optim.SGD(net.parameters(), rate)
    # Patience, cooldown and "better by 0.0001" are Keras's; PyTorch's patience counts one more.
    plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(update, factor=0.1, patience=9, cooldown=2,
                                                         threshold=1e-4, threshold_mode="abs")
    best, waited, kept = (float("inf"), 0.0), 0, None
    for epoch in range(epochs):
        net.train()
        for chosen in training[torch.randperm(len(training))].split(batch):
            update.zero_grad()
            nn.functional.cross_entropy(net(x[chosen]), y[chosen]).backward()
            update.step()
        if not careful:
            continue
        result = evaluate(net, x[validation], y[validation])
        plateau.step(result[0])
        waited += 1
        if result[0] < best[0]:
            best, waited = result, 0
            kept = {key: value.clone() for key, value in net.state_dict().items()}
        if waited >= 20:
            break
    if kept:
        net.load_state_dict(kept)
    loss, accuracy = evaluate(net, *test)
    return {"name": name, "seed": seed, "epochs": epoch + 1, "test_loss": round(loss, 4),
            "test_accuracy": round(accuracy, 4), "validation_accuracy": round(best[1], 4)}


def main():
    if len(sys.argv) < 2 or sys.argv[1] not in RECIPES:
        sys.exit("usage: torch_accuracy.py NAME [SEED...]; names: " + " ".join(RECIPES))
    torch.set_num_threads(1)
    for seed in [int(word) for word in sys.argv[2:]] or [1, 2, 3]:
        print(json.dumps(train(sys.argv[1], seed)), flush=True)


if __name__ == "__main__":
    main()

"""The four reference models in PyTorch, with Keras's layouts and initial values.

Weights and data come from lathe's counter-based generator (compiler/tensor/expression.h), so that a
C program reproduces both without files. Weights keep Keras's layouts (convolution kernels
[height, width, in, out], dense kernels [in, out], flattening in height, width, channel order) and
are turned into PyTorch's at the moment of use.

The settings keep ten steps comparable in float32. A ReLU network is chaotic: where a unit lies
within rounding of zero two correct programs disagree on its gradient, and large steps multiply the
difference by ten each time (images of pure noise and random labels, with the optimizers' default
rates, part float32 from float64 at 1e-1 in C7). So the images differ strongly from one another
(random blocks of 7 x 7 pixels plus noise), three labels of four are class 0, which gives the batch
a clear common gradient, and the learning rates are small: see rate().
"""
import numpy
import torch
import torch.nn.functional as F

MODELS = {
    # name: (batch, layers)
    "a1": (64, [("conv", 8, 3), ("conv", 9, 3), ("conv", 10, 3), ("pool", 2, "valid"),
                ("conv", 20, 3), ("conv", 21, 3), ("conv", 22, 3), ("pool", 2, "valid"),
                ("conv", 44, 3), ("conv", 45, 3), ("conv", 46, 3), ("pool", 2, "valid"),
                ("conv", 160, 3), ("flatten",), ("dense", 80, True), ("dense", 10, False)]),
    "c7": (32, [("conv", 8, 3), ("bn",), ("pool", 2, "same"),
                ("conv", 16, 3), ("bn",), ("pool", 2, "same"),
                ("conv", 32, 3), ("bn",), ("pool", 2, "same"),
                ("conv", 64, 3), ("bn",), ("pool", 2, "same"),
                ("flatten",), ("dense", 10, False)]),
    "d0": (100, [("flatten",), ("dense", 50, True), ("dense", 50, True), ("dense", 10, False)]),
    "e1": (32, [("conv", 16, 4), ("pool", 3, "valid"), ("conv", 32, 4), ("pool", 2, "valid"),
                ("conv", 64, 4), ("pool", 3, "valid"), ("flatten",),
                ("dense", 64, True), ("dense", 32, True), ("dense", 10, False)]),
}

WEIGHT_SEED = 7
CHANGE_SEED = 99
# RMSprop's first step is three times as long as its rate, Adadelta's some thousandth of it; batch
# normalization multiplies steps.
RATES = {"sgd": 1e-3, "momentum": 1e-4, "nesterov": 1e-4, "rmsprop": 2e-5, "adam": 1e-4,
         "nadam": 1e-4, "adagrad": 3e-4, "adadelta": 0.1, "amsgrad": 1e-4}
RATE_FACTORS = {"c7": 0.1}
BN_MOMENTUM, BN_EPSILON = 0.99, 1e-3


def mix(h):
    h = h ^ (h >> numpy.uint32(16))
    h = h * numpy.uint32(0x85EBCA6B)
    h = h ^ (h >> numpy.uint32(13))
    h = h * numpy.uint32(0xC2B2AE35)
    return h ^ (h >> numpy.uint32(16))


def uniform(seed, step, stream, count):
    """The first `count` elements of a stream: 24-bit numbers in [0, 1)."""
    key = mix(numpy.array([seed], numpy.uint32))
    key = mix(key + numpy.uint32(step))
    key = mix(key + numpy.uint32(stream))
    element = numpy.arange(count, dtype=numpy.uint32)
    return (mix(mix(element + key) ^ key) >> numpy.uint32(8)).astype(numpy.float64) / 2.0 ** 24


def initial_weights(layers):
    """Keras's variables in order: a list of (shape, values, trainable)."""
    weights = []

    def add(shape, limit=0.0, constant=0.0, trainable=True):
        count = int(numpy.prod(shape))
        values = numpy.full(count, constant)
        if limit:
            values = (2.0 * uniform(WEIGHT_SEED, 0, len(weights), count) - 1.0) * limit
        weights.append((shape, values.reshape(shape), trainable))

    height, width, channels = 28, 28, 1
    for layer in layers:
        if layer[0] == "conv":
            filters, size = layer[1], layer[2]
            area = size * size
            add((size, size, channels, filters), (6.0 / (area * (channels + filters))) ** 0.5)
            add((filters,))
            channels = filters
        elif layer[0] == "bn":
            add((channels,), constant=1.0)
            add((channels,))
            add((channels,), trainable=False)
            add((channels,), constant=1.0, trainable=False)
        elif layer[0] == "pool":
            extra = layer[1] - 1 if layer[2] == "same" else 0
            height, width = (height + extra) // layer[1], (width + extra) // layer[1]
        elif layer[0] == "flatten":
            channels = height * width * channels
        elif layer[0] == "dense":
            add((channels, layer[1]), (6.0 / (channels + layer[1])) ** 0.5)
            add((layer[1],))
            channels = layer[1]
    return weights


def batch_of_step(step, batch, dtype):
    """Samples and labels of step 0, 1, ...: streams 0, 1 and 2 of seed 1 + step."""
    noise = uniform(1 + step, 0, 0, batch * 28 * 28).reshape(batch, 28, 28)
    u = uniform(1 + step, 0, 1, batch)
    for _ in range(3):
        u = u * u
    labels = numpy.floor(10.0 * u).astype(numpy.int64)
    blocks = numpy.floor(2.0 * uniform(1 + step, 0, 2, batch * 4 * 4)).reshape(batch, 4, 4)
    images = 0.25 * noise + 0.75 * blocks.repeat(7, axis=1).repeat(7, axis=2)
    images = images.astype(numpy.float32).reshape(batch, 1, 28, 28)
    return torch.tensor(images, dtype=dtype), torch.tensor(labels)


def convolution_same(x, kernel, bias):
    size = kernel.shape[0]
    before, after = (size - 1) // 2, size // 2  # Keras puts the extra row and column last
    x = F.pad(x, (before, after, before, after))
    return F.conv2d(x, kernel.permute(3, 2, 0, 1), bias)


def batch_norm(x, gamma, beta, moving_mean, moving_variance):
    """The biased variance normalizes the batch, the unbiased one feeds the moving average."""
    with torch.no_grad():
        mean = x.mean(dim=(0, 2, 3))
        variance = x.var(dim=(0, 2, 3), unbiased=True)
        moving_mean.mul_(BN_MOMENTUM).add_(mean, alpha=1.0 - BN_MOMENTUM)
        moving_variance.mul_(BN_MOMENTUM).add_(variance, alpha=1.0 - BN_MOMENTUM)
    return F.batch_norm(x, None, None, gamma, beta, training=True, eps=BN_EPSILON)


def forward(layers, weights, x):
    """The logits of a training step; moving statistics are updated."""
    take = iter(weights)
    for layer in layers:
        if layer[0] == "conv":
            x = F.relu(convolution_same(x, next(take), next(take)))
        elif layer[0] == "bn":
            x = batch_norm(x, next(take), next(take), next(take), next(take))
        elif layer[0] == "pool":
            x = F.max_pool2d(x, layer[1], ceil_mode=layer[2] == "same")
        elif layer[0] == "flatten":
            x = x.permute(0, 2, 3, 1).reshape(x.shape[0], -1)
        elif layer[0] == "dense":
            x = x @ next(take) + next(take)
            x = F.relu(x) if layer[2] else x
    return x


class Sgd:
    """v = momentum v - rate g; w += v, or with Nesterov w += momentum v - rate g."""

    def __init__(self, weights, rate, momentum=0.0, nesterov=False):
        self.momentum, self.nesterov, self.rate = momentum, nesterov, rate
        self.velocity = [torch.zeros_like(w) for w in weights]

    def update(self, step, i, w, g):
        v = self.velocity[i].mul_(self.momentum).sub_(self.rate * g)
        w += self.momentum * v - self.rate * g if self.nesterov else v


class RmsProp:
    """s = rho s + (1 - rho) g^2; w -= rate g / (sqrt(s) + epsilon)."""

    def __init__(self, weights, rate, rho=0.9, epsilon=1e-7):
        self.rate, self.rho, self.epsilon = rate, rho, epsilon
        self.square = [torch.zeros_like(w) for w in weights]

    def update(self, step, i, w, g):
        s = self.square[i].mul_(self.rho).add_((1.0 - self.rho) * g * g)
        w -= self.rate * g / (torch.sqrt(s) + self.epsilon)


class Adagrad:
    """s += g^2; w -= rate g / (sqrt(s) + epsilon), where s starts at 0.1 as in Keras."""

    def __init__(self, weights, rate, initial=0.1, epsilon=1e-7):
        self.rate, self.epsilon = rate, epsilon
        self.sum = [torch.full_like(w, initial) for w in weights]

    def update(self, step, i, w, g):
        w -= self.rate * g / (torch.sqrt(self.sum[i].add_(g * g)) + self.epsilon)


class Adadelta:
    """s = rho s + (1 - rho) g^2; u = g sqrt(d + epsilon) / sqrt(s + epsilon);
    d = rho d + (1 - rho) u^2; w -= rate u."""

    def __init__(self, weights, rate, rho=0.95, epsilon=1e-7):
        self.rate, self.rho, self.epsilon = rate, rho, epsilon
        self.square = [torch.zeros_like(w) for w in weights]
        self.delta = [torch.zeros_like(w) for w in weights]

    def update(self, step, i, w, g):
        s = self.square[i].mul_(self.rho).add_((1.0 - self.rho) * g * g)
        u = g * torch.sqrt(self.delta[i] + self.epsilon) / torch.sqrt(s + self.epsilon)
        self.delta[i].mul_(self.rho).add_((1.0 - self.rho) * u * u)
        w -= self.rate * u


class Adam:
    """w -= rate m / (1 - beta_1^t) / (sqrt(v / (1 - beta_2^t)) + epsilon)."""

    def __init__(self, weights, rate, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
        self.rate, self.epsilon = rate, epsilon
        self.beta_1, self.beta_2 = beta_1, beta_2
        self.m = [torch.zeros_like(w) for w in weights]
        self.v = [torch.zeros_like(w) for w in weights]

    def momentum(self, i, g):
        return self.m[i].mul_(self.beta_1).add_((1.0 - self.beta_1) * g)

    def deviation(self, step, i, g):
        v = self.v[i].mul_(self.beta_2).add_((1.0 - self.beta_2) * g * g)
        return torch.sqrt(v / (1.0 - self.beta_2 ** step)) + self.epsilon

    def update(self, step, i, w, g):
        m_hat = self.momentum(i, g) / (1.0 - self.beta_1 ** step)
        w -= self.rate * m_hat / self.deviation(step, i, g)


class AmsGrad(Adam):
    """Adam with the largest v so far. Ten steps show it when v forgets fast: beta_2 = 0.5."""

    def __init__(self, weights, rate):
        super().__init__(weights, rate, beta_2=0.5)
        self.largest = [torch.zeros_like(w) for w in weights]

    def deviation(self, step, i, g):
        v = self.v[i].mul_(self.beta_2).add_((1.0 - self.beta_2) * g * g)
        largest = self.largest[i].copy_(torch.maximum(self.largest[i], v))
        return torch.sqrt(largest / (1.0 - self.beta_2 ** step)) + self.epsilon


class Nadam(Adam):
    """Adam with Nesterov's momentum, warmed up by u_t = beta_1 (1 - 0.96^(0.004 t) / 2).

    PyTorch 1.13's NAdam has u_t twice in the product over t + 1 steps (later versions, Keras and
    Dozat's paper have not); twice=True repeats that, for the comparison with it."""

    def __init__(self, weights, rate, twice=False):
        super().__init__(weights, rate)
        self.twice = twice

    def u(self, step):
        return self.beta_1 * (1.0 - 0.5 * 0.96 ** (0.004 * step))

    def update(self, step, i, w, g):
        product = 1.0
        for t in range(1, step + 1):
            product *= self.u(t)
        following = self.u(step + 1)
        product_next = product * following * (self.u(step) if self.twice else 1.0)
        m_hat = (following * self.momentum(i, g) / (1.0 - product_next)
                 + (1.0 - self.u(step)) * g / (1.0 - product))
        w -= self.rate * m_hat / self.deviation(step, i, g)


# name: (ours, PyTorch's own)
OPTIMIZERS = {
    "sgd": (Sgd, torch.optim.SGD),
    "momentum": (lambda w, rate: Sgd(w, rate, 0.9),
                 lambda w, rate: torch.optim.SGD(w, rate, momentum=0.9)),
    "nesterov": (lambda w, rate: Sgd(w, rate, 0.9, True),
                 lambda w, rate: torch.optim.SGD(w, rate, momentum=0.9, nesterov=True)),
    "rmsprop": (RmsProp, lambda w, rate: torch.optim.RMSprop(w, rate, alpha=0.9, eps=1e-7)),
    "adam": (Adam, lambda w, rate: torch.optim.Adam(w, rate, eps=1e-7)),
    "nadam": (Nadam, lambda w, rate: torch.optim.NAdam(w, rate, eps=1e-7)),
    "adagrad": (Adagrad, lambda w, rate: torch.optim.Adagrad(
        w, rate, initial_accumulator_value=0.1, eps=1e-7)),
    "adadelta": (Adadelta, lambda w, rate: torch.optim.Adadelta(w, rate, rho=0.95, eps=1e-7)),
    "amsgrad": (AmsGrad, lambda w, rate: torch.optim.Adam(
        w, rate, betas=(0.9, 0.5), eps=1e-7, amsgrad=True)),
}

# A model with and one without batch normalization are enough for these.
ONLY_WITH = {"adagrad": ("c7", "d0"), "adadelta": ("c7", "d0"), "amsgrad": ("c7", "d0")}


def pairs():
    """All (model, optimizer) of the trajectories."""
    return [(model, optimizer) for model in MODELS for optimizer in OPTIMIZERS
            if model in ONLY_WITH.get(optimizer, MODELS)]


def rate(model, optimizer):
    return RATES[optimizer] * RATE_FACTORS.get(model, 1.0)


def run(model, optimizer, dtype, steps=10, own=False, disturbance=None, **options):
    """Trains; returns the losses and the final variables. own: use PyTorch's optimizer.
    disturbance: a random generator that changes the images by 1e-6."""
    batch, layers = MODELS[model]
    variables = initial_weights(layers)
    weights = [torch.tensor(v.astype(numpy.float32), dtype=dtype) for _, v, _ in variables]
    trained = [w for w, v in zip(weights, variables) if v[2]]
    for w in trained:
        w.requires_grad_(True)
    torch.set_default_dtype(dtype)  # of NAdam's own numbers
    updates = OPTIMIZERS[optimizer][1 if own else 0](trained, rate(model, optimizer), **options)
    losses = []
    for step in range(steps):
        x, labels = batch_of_step(step, batch, dtype)
        if disturbance:
            x = x * torch.tensor(1.0 + 1e-6 * disturbance.standard_normal(x.shape), dtype=dtype)
        loss = F.cross_entropy(forward(layers, weights, x), labels)
        losses.append(loss.item())
        for w in trained:
            w.grad = None
        loss.backward()
        if own:
            updates.step()
            continue
        with torch.no_grad():
            for i, w in enumerate(trained):
                updates.update(step + 1, i, w, w.grad)
    return losses, [w.detach().double().numpy().ravel() for w in weights]

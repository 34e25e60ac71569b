"""Velocities of 82 galaxies: how many clusters, and how likely are galaxies that were not seen?

    x ~ a density learned from velocities            (noise: Normal(x, sigma), x in 1000 km/s)

The galaxies lie in six conic sections of the Corona Borealis region; modes in their velocities are clusters and the
voids between them (Roeder 1990). An energy is trained by dual score matching, so it is normalised at every noise
level: level sigma is the density of velocities blurred by sigma, as in a kernel density estimate of that bandwidth.
Three densities are compared by the mean log density of held-out galaxies in four folds: one normal law, kernel
density estimates, and the learned one, over the same range of bandwidths. With 61 galaxies to learn from the noise is
what keeps each of them from becoming a mode of its own.
"""

from pathlib import Path

import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure
from scipy.signal import find_peaks
from scipy.stats import norm

import symdsm as sd

DATA = Path(__file__).parent / "data" / "galaxies.csv"
LEVELS, STEPS, FOLDS = sd.geometric(0.4, 30.0), 2500, 4
WIDTHS = np.geomspace(0.4, 4.0, 12)
GRID = np.linspace(0.0, 45.0, 1801)

gaussian = sd.families.gaussian()


def main(run):
    velocity = np.loadtxt(DATA, skiprows=1) / 1000.0
    run.kernel("gaussian", gaussian)
    part = np.asarray(np.random.default_rng(0).permutation(velocity.size)) % FOLDS
    held_out = [compare(run, velocity[part != k], velocity[part == k], k) for k in range(FOLDS)]
    rows = {name: np.concatenate([found[name] for found in held_out], axis=-1) for name in held_out[0]}
    run.note(galaxies=velocity.size, widths=WIDTHS.tolist(), normal_law=float(rows["normal"].mean()))
    for name in ("kernel", "learned"):
        by_width = rows[name].mean(axis=1)
        run.note(**{name: by_width.tolist(), f"{name}_best": float(by_width.max())})
        run.note(**{f"{name}_width": float(WIDTHS[by_width.argmax()])})
    gap = rows["learned"][rows["learned"].mean(axis=1).argmax()] - rows["normal"]
    run.note(gain=float(gap.mean()), gain_error=float(gap.std() / np.sqrt(gap.size)))

    fit = learn(run, velocity, "all")
    density = np.exp(np.asarray(fit.log_prob(GRID[:, None].astype(np.float32), LEVELS.least)))
    run.note(mass=float(np.trapezoid(density, GRID)), modes=GRID[find_peaks(density, prominence=0.005)[0]].tolist())
    picture(velocity, density, rows).savefig(run.out / "galaxies.png", dpi=120)
    run.say(f"[picture] {run.out / 'galaxies.png'}")


def learn(run, velocity, name):
    """A density of the velocities at every level."""
    net = sd.Energy((1,), key=run.key(f"net {name}"), width=64)
    key = run.key(f"fit {name}")
    how = {"levels": LEVELS, "steps": STEPS, "batch_size": 128, "learning_rate": 5e-3, "validation": 0.0}
    return sd.fit(net, velocity[:, None], gaussian, key=key, **how)


def compare(run, seen, unseen, k):
    """Log densities of the unseen velocities: (galaxies,) for the normal law, (widths, galaxies) for the others."""
    fit = learn(run, seen, f"fold {k}")
    points = jnp.asarray(unseen[None, :, None], jnp.float32)
    learned = fit.log_prob(points, jnp.asarray(WIDTHS[:, None], jnp.float32))
    each = norm.logpdf(unseen, seen[:, None, None], WIDTHS[:, None])
    kernel = np.logaddexp.reduce(each, axis=0) - np.log(seen.size)
    return {"normal": norm.logpdf(unseen, seen.mean(), seen.std()), "kernel": kernel, "learned": np.asarray(learned)}


def picture(velocity, density, rows):
    figure = Figure(figsize=(9.0, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.hist(velocity, bins=np.arange(8, 36, 0.5), density=True, color="0.85")
    left.plot(GRID, density, color="C0")
    left.plot(velocity, np.full(velocity.size, -0.01), "|", color="0.4", ms=5)
    left.set(xlim=(7, 37), xlabel="velocity, 1000 km/s", ylabel=f"density, sigma = {LEVELS.least}")
    for name, colour in (("kernel", "0.5"), ("learned", "C0")):
        right.semilogx(WIDTHS, rows[name].mean(1), color=colour, marker="o", ms=3, label=name)
    right.axhline(rows["normal"].mean(), color="0.5", ls=":", label="normal law")
    right.set_xticks([0.5, 1.0, 2.0, 4.0], labels=["0.5", "1", "2", "4"])
    right.set_xticks([], minor=True)
    right.set(xlabel="sigma, 1000 km/s", ylabel="mean log density of held-out galaxies")
    right.legend(frameon=False)
    return figure

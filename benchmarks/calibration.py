r"""Are posteriors right on average?  Simulation-based calibration: `python -m benchmarks.calibration [PROGRAM ..]`

    theta ~ prior,   y ~ p(y | theta),   theta_1, .., theta_K ~ the sampler's posterior given y

makes the rank of theta among the theta_k uniform, whatever the program (Talts et al. 2018, arXiv:1804.06788).

    mixture      two normals in the plane, exact energy; the sum of the coordinates seen with normal noise
    hierarchy    three groups with values m + z_g, z_g ~ two normals on the line, exact energy; m and the scale unknown
    speckle      the log intensities of two neighbouring pixels of real 8 x 8 digits, from a learned energy; theta is
                 drawn from this very energy at its lowest level, on a grid; y is seen through speckle of 4 looks
    digits       whole 8 x 8 digits from the learned energy of models/digits.py, left half seen through speckle of 4
                 looks; theta (means of the two halves, four hidden pixels) is drawn by a long run of the prior itself

Each y has its own tempered run, repeated with twice the draws until every scalar has EFFECTIVE of them, of which K are
ranked, evenly spaced, ties and steps broken by a uniform number. A program passes when its least p-value of uniformity
(Kolmogorov-Smirnov, of the ranks r and of |2 r - 1|, Bonferroni over both and all scalars) is above 0.01 and the
coverages of central intervals are within 3 standard errors. `--out DIR` saves ArviZ's PIT plots.
"""

import argparse
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import arviz as az
import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from scipy import stats
from sklearn.datasets import load_digits

import symdsm as sd
from benchmarks import digits_posteriors
from models.digits import HIDDEN, LOOKS, SEEN
from models.digits import speckle as digits_speckle
from symdsm.families import gaussian, speckle
from tests.inference.conftest import mixture

EFFECTIVE, K, MOST, POOL = 100, 100, 16_000, 1000
SHARES = (0.5, 0.9)


class Case(NamedTuple):
    """program(y), and draw(rng) -> (true latents by name, y)."""

    program: Callable
    draw: Callable


def from_mixture(fit, rng, n):
    """n draws (n, d) of an exact fit at its lowest level."""
    shares = np.exp(np.asarray(fit.log_weights, float))
    pick = rng.choice(len(shares), n, p=shares / shares.sum())
    return np.asarray(fit.centres)[pick] + np.hypot(fit.sd, fit.levels.least) * rng.normal(size=(n, *fit.event_shape))


def linear(declared: float = 0.5) -> Case:
    """`mixture`; the program declares noise of sd `declared`, the data have 0.5."""
    fit = mixture([[-1.5, 0.0], [1.5, 0.5]], [0.6, 0.4], sd=0.5, least=0.1, most=5.0)
    scale = jnp.full(1, declared)

    def program(y):
        z = numpyro.sample("z", sd.LearnedPrior(fit))
        total = numpyro.deterministic("total", z.sum(keepdims=True))
        numpyro.sample("y", dist.Normal(total, scale).to_event(1), obs=y)

    def draw(rng):
        z = from_mixture(fit, rng, 1)[0]
        return {"z": z, "total": z.sum(keepdims=True)}, z.sum(keepdims=True) + 0.5 * rng.normal(size=1)

    return Case(program, draw)


def hierarchy() -> Case:
    fit = mixture([[-1.0], [1.0]], [0.6, 0.4], sd=0.3, least=0.1, most=4.0)

    def program(y):
        m = numpyro.sample("m", dist.Normal(0.0, 1.0))
        scale = numpyro.sample("scale", dist.LogNormal(-0.5, 0.5))
        with numpyro.plate("group", 3):
            z = numpyro.sample("z", sd.LearnedPrior(fit))
            numpyro.sample("y", dist.Normal(m + z[:, 0], scale), obs=y)

    def draw(rng):
        m, scale, z = rng.normal(), np.exp(-0.5 + 0.5 * rng.normal()), from_mixture(fit, rng, 3)
        return {"m": m, "scale": scale, "z": z}, m + z[:, 0] + scale * rng.normal(size=3)

    return Case(program, draw)


def pixels(steps: int = 3000) -> Case:
    """`speckle`."""
    rng, looks = np.random.default_rng(0), 4.0
    pair = load_digits().images[:, 3, 3:5] + 1.0
    data = np.log(pair + rng.uniform(size=pair.shape)).astype(np.float32)
    net = sd.Energy((2,), key=jax.random.key(0), width=64, depth=2)
    fit = sd.fit(
        net, data, gaussian(), key=jax.random.key(1), levels=sd.geometric(0.3, 7.0), steps=steps, progress=False
    )
    speckled = speckle()
    axis, width = np.linspace(-2.0, 5.0, 701, retstep=True)
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)
    log_density = -np.asarray(fit.energy(jnp.asarray(grid, jnp.float32), fit.levels.least), float)
    mass = np.exp(log_density - log_density.max())
    mass /= mass.sum()
    edge = mass[(np.abs(grid - 1.5) > 3.45).any(1)].sum()
    assert edge < 1e-4, f"the grid is too small: {edge:.2g} of the mass is at its edge"

    def program(y):
        z = numpyro.sample("z", sd.LearnedPrior(fit))
        numpyro.sample("y", speckled.distribution(jnp.exp(z), L=looks).to_event(1), obs=y)

    def draw(rng):
        z = grid[rng.choice(len(mass), p=mass)] + width * rng.uniform(-0.5, 0.5, 2)
        return {"z": z}, np.exp(z) * rng.gamma(looks, 1 / looks, 2)

    return Case(program, draw)


def digits() -> Case:
    """`digits`; POOL draws of a long tempered run of the prior alone, evenly spaced."""
    train, *_ = digits_posteriors.data(0)
    fit = digits_posteriors.learn(train, 0)

    def summary(z):
        half = jnp.stack([z[HIDDEN].mean(), z[SEEN].mean()])
        return jnp.concatenate([half, z[jnp.array([2, 3, 4, 6]), jnp.array([5, 4, 6, 4])]])

    def program(y=None):
        z = numpyro.sample("z", sd.LearnedPrior(fit))
        numpyro.deterministic("summary", summary(z))
        if y is not None:
            numpyro.sample("y", digits_speckle.distribution(jnp.exp(z[SEEN]), L=LOOKS).to_event(2), obs=y)

    tree = sd.sample(program, key=jax.random.key(0), method="tempered", draws=5000, progress=False)
    pool = tree["posterior"]["z"].to_numpy().reshape(-1, 8, 8)
    pool = pool[np.linspace(0, len(pool) - 1, POOL).astype(int)]

    def draw(rng):
        z = pool[rng.integers(POOL)]
        y = np.exp(z[SEEN]) * rng.gamma(LOOKS, 1 / LOOKS, (8, 4))
        return {"summary": np.asarray(summary(jnp.asarray(z)))}, y

    return Case(program, draw)


def posterior(program, y, key, draws):
    """Draws by name, those of all chains in a row, and the least effective size of a scalar."""
    tree = sd.sample(program, jnp.asarray(y, jnp.float32), key=key, draws=draws, warmup=300, progress=False)
    found = tree["posterior"].to_dataset()
    least = min(float(e.min()) for e in az.ess(found).data_vars.values())
    if least < EFFECTIVE and draws < MOST:
        return posterior(program, y, key, 2 * draws)
    return {name: v.to_numpy().reshape(-1, *v.shape[2:]) for name, v in found.data_vars.items()}, least


def ranks(case: Case, n: int, draws: int = 300, seed: int = 0) -> tuple[dict, np.ndarray]:
    """Ranks in [0, 1] of n prior draws, by name (n, ...), uniform for a right posterior; least effective sizes (n,)."""
    rng, rows, sizes = np.random.default_rng(seed), [], []
    for i in range(n):
        truth, y = case.draw(rng)
        found, size = posterior(case.program, y, jax.random.key(1000 * seed + i), draws)
        row = {}
        for name, value in truth.items():
            x = found[name]
            below = (x[np.linspace(0, len(x) - 1, K).astype(int)] < value).sum(0)
            row[name] = (below + rng.uniform(size=np.shape(value))) / (K + 1)
        rows.append(row)
        sizes.append(size)
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}, np.array(sizes)


def uniformity(found: dict) -> float:
    """The p-value of the module docstring, over all scalars."""
    r = np.concatenate([v.reshape(len(v), -1) for v in found.values()], 1)
    each = [stats.kstest(u, "uniform").pvalue for column in r.T for u in (column, np.abs(2 * column - 1))]
    return min(1.0, len(each) * min(each))


def coverage(found: dict) -> dict[float, tuple[float, float]]:
    """By share: mean coverage of central intervals, and the largest deviation of a scalar's in standard errors."""
    r = np.concatenate([v.reshape(len(v), -1) for v in found.values()], 1)
    inside = {share: (np.abs(2 * r - 1) <= share).mean(0) for share in SHARES}
    error = {share: np.sqrt(share * (1 - share) / len(r)) for share in SHARES}
    return {share: (each.mean(), np.abs(each - share).max() / error[share]) for share, each in inside.items()}


def plot(found, path):
    import arviz_plots as azp

    tree = az.from_dict({"prior_sbc": {name: v[None] for name, v in found.items()}})
    azp.plot_ecdf_pit(tree, backend="matplotlib").savefig(path)


PROGRAMS = {"mixture": linear, "hierarchy": hierarchy, "speckle": pixels, "digits": digits}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("programs", nargs="*", help=f"of {', '.join(PROGRAMS)}; all by default")
    parser.add_argument("--prior-draws", type=int, default=200)
    parser.add_argument("--out", type=Path, help="folder for the PIT plots")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    for name in args.programs or PROGRAMS:
        start = time.process_time()
        case = PROGRAMS[name]()
        ready = time.process_time()
        found, sizes = ranks(case, args.prior_draws)
        covered = ", ".join(
            f"{100 * share:.0f}% intervals {mean:.3f} (worst scalar {worst:.1f} se off)"
            for share, (mean, worst) in coverage(found).items()
        )
        print(f"{name}, {args.prior_draws} prior draws: uniform ranks p = {uniformity(found):.3f}; {covered};")
        print(
            f"  effective draws {np.median(sizes):.0f}, least {sizes.min():.0f}; fit {ready - start:.0f} s,"
            f" {(time.process_time() - ready) / args.prior_draws:.2f} s a posterior",
            flush=True,
        )
        if args.out:
            args.out.mkdir(parents=True, exist_ok=True)
            plot(found, args.out / f"{name}.png")


if __name__ == "__main__":
    main()

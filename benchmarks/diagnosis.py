"""Does `sd.diagnose` condemn what is bad and trust what is good?

    python -m benchmarks.diagnosis [calibrate] [second] [test]

Runs that are good or bad by construction, with exact energies of Gaussian mixtures (three modes, or one) and with
energies that are wrong in a known way, observed through a linear map with normal noise:

    good            tempered, SMC and annealed runs with the exact energy
    plain nuts      NUTS at the lowest level from noise, three modes
    stuck           annealed chains, three modes: each stays where it came down
    undertrained    an energy with a large smooth error; and one whose score is too small
    non-coercive    an energy that falls to minus infinity far from the data
    likelihood      data with five times the noise that the program declares; and a fifth of it
    memorising      the energy of the empirical distribution of 40 examples
    kernel          an energy trained with twice the noise that its kernel declares
    short           10 draws after 10 of warm-up

The three modes are nine sds apart or more: nearer ones NUTS can cross, and a run that does is not bad. Where the energy
is exact, `off` is the total variation of the modes' weights from the exact ones: how good or bad the run was in truth.

The thresholds were fixed on `calibrate` and are tried on `test`: other dimensions, other seeds (`SETS`; `second` was
looked at, too). A row is condemned at "do not trust". Two columns stand beside it: without held-out data (40 examples
fill two dimensions, where copies look like draws), and the rows that ArviZ makes (R-hat, ESS, MCSE, divergences,
E-BFMI) alone, with the same thresholds. `--csv FILE` writes every check of every run.
"""

import argparse
import time
import warnings
from collections import Counter

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pandas as pd
from scipy.spatial.distance import cdist, pdist
from scipy.special import softmax
from scipy.stats import multivariate_normal

import symdsm as sd
from symdsm.errors import SamplingError
from tests.inference.conftest import GaussianKernel, GaussianProgram, MixtureFit, mixture

SETS = {"calibrate": ((2, 5, 12), 0), "second": ((3, 8, 20), 1000), "test": ((4, 10, 15), 2000)}  # dimensions, seeds
ARVIZ = ("R-hat", "ESS bulk", "ESS tail", "MCSE / sd", "divergences", "E-BFMI")
COLUMNS = ("sd.diagnose", "without held-out data", "ArviZ alone")
NOISE, RADIUS, APART, UNSEEN = 0.8, 3.0, 3.0, 501
SIZE = {"draws": 2000, "warmup": 1000, "progress": False}
BAD = (
    "plain nuts",
    "stuck",
    "undertrained: error",
    "undertrained: too small",
    "non-coercive",
    "likelihood: more noise",
    "likelihood: less noise",
    "memorising",
    "kernel",
    "short",
)
GOOD = ("tempered", "tempered", "smc", "annealed", "tempered, one mode")


class Distorted(MixtureFit):
    """A mixture whose log density is changed: `bend` adds waves, `shrink` scales it, `fall` lets it grow far out."""

    bend: float = eqx.field(static=True, default=0.0)
    shrink: float = eqx.field(static=True, default=1.0)
    fall: float = eqx.field(static=True, default=0.0)

    def _log_prob(self, x, level):
        value = self.shrink * MixtureFit._log_prob(self, x, level)
        scale = jnp.sqrt(self.sd**2 + level**2)
        waves = jnp.sum(jnp.sin(2.5 * x / scale + jnp.arange(x.size)))
        return value + self.bend * waves + self.fall * jnp.maximum(jnp.linalg.norm(x) - 6.0, 0.0) ** 2


class TwiceTheNoise(GaussianProgram):
    """y = x + 2 sigma n."""

    def sample(self, key, x, /, *, sigma):
        return GaussianProgram.sample(self, key, x, sigma=2 * sigma)

    def target(self, key, x, /, *, sigma):
        return GaussianProgram.target(self, key, x, sigma=2 * sigma)


class WrongKernel(GaussianKernel):
    """The Gaussian kernel with twice its level."""

    def compile(self):
        return TwiceTheNoise()


def distorted(fit, **how):
    parts = {name: getattr(fit, name) for name in ("centres", "log_weights", "sd", "examples", "levels", "event_shape")}
    return Distorted(**parts, **how)


def world(d, modes, seed):
    """(the exact fit, data that it has not seen)."""
    rng = np.random.default_rng(seed)
    centres = on_sphere(rng, modes, d)
    while modes > 1 and pdist(centres).min() < APART:
        centres = on_sphere(rng, modes, d)
    weights = rng.dirichlet(np.full(modes, 8.0))
    fresh = centres[rng.choice(modes, p=weights, size=UNSEEN)] + 0.3 * rng.normal(size=(UNSEEN, d))
    return mixture(centres, weights, sd=0.3, least=0.1, most=6.0), fresh


def on_sphere(rng, n, d):
    points = rng.normal(size=(n, d))
    return RADIUS * points / np.linalg.norm(points, axis=1, keepdims=True)


def memorising(fit, rng):
    """The same for 40 examples of one wide mode, learned one by one."""
    law = np.asarray(fit.centres)[0], 0.8
    centres, fresh = (rng.normal(*law, size=(n, law[0].size)) for n in (40, UNSEEN))
    made = mixture(centres, np.full(40, 1 / 40), sd=0.01, least=0.05, most=6.0)
    return eqx.tree_at(lambda f: f.examples, made, jnp.asarray(centres, float)), fresh


def off(posterior, fit, A, noise, y):
    """Total variation of the weights of modes from those of the exact posterior, y ~ N(A x, noise^2)."""
    centres, variance = np.asarray(fit.centres), fit.sd**2 + fit.levels.least**2
    law = multivariate_normal(cov=variance * A @ A.T + noise**2 * np.eye(len(A)))
    exact = softmax(np.asarray(fit.log_weights) + np.atleast_1d(law.logpdf(y - centres @ A.T)))
    draws = posterior["posterior"]["x"].to_numpy().reshape(-1, centres.shape[1])
    counts = np.bincount(cdist(draws, centres).argmin(1), minlength=len(centres))
    return 0.5 * np.abs(counts / counts.sum() - exact).sum()


def run(kind, d, seed):
    """(posterior, the fit given to the diagnosis, data that it has not seen, how far the weights of modes are off)."""
    rng = np.random.default_rng(seed)
    one_mode = kind in ("annealed", "tempered, one mode", "memorising")
    fit, fresh = world(d, 1 if one_mode else 3, seed)
    seen, noise = max(d // 2, 1), NOISE
    if kind in ("plain nuts", "stuck"):
        seen, noise = 1, 3.0  # every mode stays alive
    if kind.startswith("likelihood"):
        seen = 40
    A = rng.normal(size=(seen, d)) / np.sqrt(d) if seen > d else np.linalg.qr(rng.normal(size=(d, seen)))[0].T
    declared = noise
    if kind.startswith("undertrained"):
        fit = distorted(fit, **({"bend": 1.5} if "error" in kind else {"shrink": 0.3}))
    elif kind == "non-coercive":
        fit = distorted(fit, fall=20.0)
    elif kind == "memorising":
        fit, fresh = memorising(fit, rng)
    elif kind == "kernel":
        fit = MixtureFit(
            fit.centres, fit.log_weights, fit.sd, fit.examples, fit.levels, fit.event_shape, kernel=WrongKernel()
        )
    elif kind.startswith("likelihood"):
        declared = NOISE / 5 if "more" in kind else NOISE * 5
    truth, held_out = fresh[0] + fit.levels.least * rng.normal(size=d), fresh[1:]
    y = A @ truth + noise * rng.normal(size=seen)

    def program(y):
        x = numpyro.sample("x", sd.LearnedPrior(fit))
        numpyro.sample("y", dist.Normal(jnp.asarray(A) @ x, declared).to_event(1), obs=y)

    method = {"plain nuts": "nuts", "stuck": "annealed", "smc": "smc", "annealed": "annealed"}.get(kind, "tempered")
    size = SIZE | ({"draws": 10, "warmup": 10} if kind == "short" else {})
    posterior = sd.sample(program, y, key=jax.random.key(seed), method=method, **size)
    exact = kind in ("plain nuts", "stuck", "short", *GOOD)
    return posterior, fit, held_out, off(posterior, fit, A, noise, y) if exact else np.nan


def judged(kind, good, d, seed):
    """One row of the bench: the verdicts of `COLUMNS`, and every check."""
    start = time.perf_counter()
    row = {"kind": kind, "good": good, "d": d, "seed": seed}
    try:
        posterior, fit, held_out, wrong = run(kind, d, seed)
    except SamplingError as error:
        refused = dict.fromkeys(COLUMNS, "do not trust")
        return row | refused | {"why": f"refused: {error.given[:60]}", "seconds": time.perf_counter() - start}
    found = sd.diagnose(posterior, fit=fit, held_out=held_out)
    table = found.table.set_index("check")
    seen = table[~table.index.str.endswith("held out")]
    verdicts = found.verdict, worst(seen), worst(table.loc[table.index.intersection(ARVIZ)])
    why = ", ".join(f"{name} {value:.3g}" for name, value in table["value"][~table["ok"]].items())
    seconds = time.perf_counter() - start
    row |= {"off": wrong, "why": why, "seconds": seconds}
    return row | dict(zip(COLUMNS, verdicts, strict=True)) | dict(table["value"])


def worst(table):
    """The verdict of some rows of the table of checks."""
    sign = np.where(table["limit"] < table["threshold"], -1, 1)
    beyond = (sign * table["value"] > sign * table["limit"]).any() or table["value"].isna().any()
    return "do not trust" if beyond else "trust" if table["ok"].all() else "look"


def bench(name, runs):
    """`runs` good and `runs` bad rows, printed as they come."""
    rows, (dimensions, seed) = [], SETS[name]
    for i in range(runs):
        d = dimensions[(i + i // len(BAD)) % 3]  # another one each time that a kind comes round
        for kind, good in ((GOOD[i % len(GOOD)], True), (BAD[i % len(BAD)], False)):
            row = judged(kind, good, d, seed + i)
            rows.append(row)
            said = f"{row['sd.diagnose']:13s} ArviZ: {row['ArviZ alone']:13s} {row['why']}"
            print(f"{kind:24s} d={d:<3d} off {row.get('off', np.nan):4.2f} {said}", flush=True)
    frame = pd.DataFrame(rows)
    print(f"\n{name}: {frame['seconds'].median():.1f} seconds a run, {frame['seconds'].max():.0f} at most")
    for good in (True, False):
        part = frame[frame["good"] == good]
        print(f"{name}, {'good' if good else 'bad'} runs ({len(part)})")
        for column in COLUMNS:
            print(f"  {column:21s}", dict(Counter(part[column])))
    return frame


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", default=list(SETS), help=", ".join(SETS))
    parser.add_argument("--runs", type=int, default=20, help="good and bad runs in each set")
    parser.add_argument("--csv", help="write every check of every run here")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    frames = [bench(name, args.runs).assign(set=name) for name in args.sets]
    if args.csv:
        pd.concat(frames).to_csv(args.csv, index=False)


if __name__ == "__main__":
    main()

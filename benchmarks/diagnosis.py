"""Does `sd.diagnose` condemn what is bad and trust what is good?  `python -m benchmarks.diagnosis [calibrate] [test]`

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
    short           30 draws after 20 of warm-up

The thresholds were fixed on `calibrate` (dimensions 2, 5, 12) and are tried on `test` (3, 8, 20; other seeds). A row is
condemned at "do not trust"; the last column takes the rows that ArviZ makes (R-hat, ESS, MCSE, divergences, E-BFMI),
with the same thresholds, alone. `--csv FILE` writes every check of every run.
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

import symdsm as sd
from symdsm.errors import SamplingError
from tests.inference.conftest import GaussianKernel, GaussianProgram, MixtureFit, mixture

DIMENSIONS = {"calibrate": (2, 5, 12), "test": (3, 8, 20)}
SEEDS = {"calibrate": 0, "test": 1000}
ARVIZ = ("R-hat", "ESS bulk", "ESS tail", "MCSE / sd", "divergences", "E-BFMI")
NOISE = 0.8
SIZE = {"draws": 1000, "warmup": 500, "progress": False}
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
    """(the exact fit, its clean truth, held-out data)."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(modes, d))
    centres *= 3.0 / np.linalg.norm(centres, axis=1, keepdims=True)
    fit = mixture(centres, rng.dirichlet(np.full(modes, 8.0)), sd=0.3, least=0.1, most=6.0)
    clean = np.asarray(mixture(fit.centres, np.exp(fit.log_weights), sd=0.3).examples)
    return fit, clean[rng.integers(len(clean))], clean


def memorising(fit, rng):
    centres = np.asarray(fit.centres)[0] + 0.8 * rng.normal(size=(40, fit.centres.shape[1]))
    made = mixture(centres, np.full(40, 1 / 40), sd=0.01, least=0.05, most=6.0)
    return eqx.tree_at(lambda f: f.examples, made, jnp.asarray(centres, float)), centres[0]


def run(kind, d, seed):
    """(posterior, the fit given to the diagnosis)."""
    rng = np.random.default_rng(seed)
    one_mode = kind in ("annealed", "tempered, one mode", "memorising")
    fit, truth, _ = world(d, 1 if one_mode else 3, seed)
    truth = truth + 0.1 * rng.normal(size=d)
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
        fit, truth = memorising(fit, rng)
    elif kind == "kernel":
        fit = MixtureFit(
            fit.centres, fit.log_weights, fit.sd, fit.examples, fit.levels, fit.event_shape, kernel=WrongKernel()
        )
    elif kind.startswith("likelihood"):
        declared = NOISE / 5 if "more" in kind else NOISE * 5
    y = A @ truth + noise * rng.normal(size=seen)

    def program(y):
        x = numpyro.sample("x", sd.LearnedPrior(fit))
        numpyro.sample("y", dist.Normal(jnp.asarray(A) @ x, declared).to_event(1), obs=y)

    method = {"plain nuts": "nuts", "stuck": "annealed", "smc": "smc", "annealed": "annealed"}.get(kind, "tempered")
    size = SIZE | ({"draws": 30, "warmup": 20} if kind == "short" else {})
    return sd.sample(program, y, key=jax.random.key(seed), method=method, **size), fit


def judged(kind, good, d, seed):
    """One row of the bench: the verdict, ArviZ's verdict, and every check."""
    start = time.perf_counter()
    row = {"kind": kind, "good": good, "d": d, "seed": seed}
    try:
        posterior, fit = run(kind, d, seed)
    except SamplingError as error:
        return row | {"verdict": "do not trust", "arviz": "do not trust", "why": f"refused: {error.given[:60]}"}
    found = sd.diagnose(posterior, fit=fit)
    table = found.table.set_index("check")
    alone = table.loc[[name for name in ARVIZ if name in table.index]]
    sign = np.where(alone["limit"] < alone["threshold"], -1, 1)
    beyond = (sign * alone["value"] > sign * alone["limit"]).any()
    arviz = "do not trust" if beyond else "trust" if alone["ok"].all() else "look"
    why = ", ".join(f"{name} {value:.3g}" for name, value in table["value"][~table["ok"]].items())
    seconds = time.perf_counter() - start
    return row | {"verdict": found.verdict, "arviz": arviz, "why": why, "seconds": seconds, **table["value"]}


def bench(name, runs):
    """`runs` good and `runs` bad rows, printed as they come."""
    rows, dimensions = [], DIMENSIONS[name]
    for i in range(runs):
        for kind, good in ((GOOD[i % len(GOOD)], True), (BAD[i % len(BAD)], False)):
            row = judged(kind, good, dimensions[i % len(BAD) % 3], SEEDS[name] + i)
            rows.append(row)
            print(
                f"{kind:24s} d={row['d']:<3d} {row['verdict']:13s} ArviZ: {row['arviz']:13s} {row['why']}", flush=True
            )
    frame = pd.DataFrame(rows)
    for good in (True, False):
        part = frame[frame["good"] == good]
        print(f"\n{name}, {'good' if good else 'bad'} runs ({len(part)})")
        for column, label in (("verdict", "sd.diagnose"), ("arviz", "ArviZ alone")):
            print(f"  {label:12s}", dict(Counter(part[column])))
    return frame


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", default=["calibrate", "test"], help="calibrate, test")
    parser.add_argument("--runs", type=int, default=20, help="good and bad runs in each set")
    parser.add_argument("--csv", help="write every check of every run here")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    frames = [bench(name, args.runs).assign(set=name) for name in args.sets]
    if args.csv:
        pd.concat(frames).to_csv(args.csv, index=False)


if __name__ == "__main__":
    main()

"""Are posteriors right where they are known?  `python -m benchmarks.posteriors [mixtures] [likelihoods] [calibration]`

mixtures       Gaussian-mixture priors with exact energies, d and number of modes as given, seen through a linear map
               with noise that leaves several modes alive: total variation of the modes' weights, visits of the lowest
               level from the upper half, evidence by SMC; NUTS at the lowest level beside it
likelihoods    what the likelihood says along the levels, all four ways: crossings of the level's range (lowest to
               highest fifth or back) per 1000 iterations and chain, gradients per iteration, total variation
calibration    simulation-based calibration (Talts et al. 2018, arXiv:1804.06788): ranks of prior draws in their
               posteriors, sampled as one batch under a plate; p-value of uniformity, coverage of intervals

Processor seconds are given beside each row, compilation included.
"""

import argparse
import time
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from scipy import stats

import symdsm as sd
from tests.inference.conftest import mixture
from tests.oracles.mixture_posterior import problem, total_variation

CASES = ((2, 8), (10, 4), (50, 3))
WAYS = ("declared", "power", "inflated", "denoised")


def crossings(track):
    """Moves between the lowest and the highest fifth of the range, per 1000 iterations, mean over chains."""
    counts = []
    for path in track:
        side = np.where(path <= 0.2, -1, np.where(path >= 0.8, 1, 0))
        side = side[side != 0]
        counts.append(np.sum(side[1:] != side[:-1]))
    return 1000 * np.mean(counts) / track.shape[1]


def visits(track):
    """Descents from the upper half to the lowest level, over all chains."""
    side = np.where(track <= 0, -1, np.where(track > 0.5, 1, 0))
    return sum(int(np.sum(np.diff(s[s != 0]) < 0)) for s in side)


def sampling_track(tree):
    group = tree["levels"]
    return group["track"].to_numpy()[:, group.attrs["sampling_from"] :]


def timed(p, **how):
    start = time.process_time()
    tree = sd.sample(p.program, p.y, key=jax.random.key(0), progress=False, **how)
    return tree, time.process_time() - start


def mixtures(draws, seeds):
    for d, modes in CASES:
        for seed in range(seeds):
            p = problem(d, modes, seed=seed)
            print(f"d = {d}, {modes} modes, seed {seed}: weights {np.sort(p.weights)[::-1].round(3)}")
            tree, seconds = timed(p, draws=draws, method="tempered")
            tv, n = (
                total_variation(p.shares(tree["posterior"]["x"].to_numpy()), p.weights),
                visits(sampling_track(tree)),
            )
            error = np.sqrt(p.weights * (1 - p.weights) / max(n, 1)).sum() / 2
            print(f"  tempered  TV {tv:.3f} (2 se {2 * error:.3f} at {n} visits), {seconds:.0f} s")
            tree, seconds = timed(p, draws=draws, method="smc")
            tv, found = total_variation(p.shares(tree["posterior"]["x"].to_numpy()), p.weights), tree.attrs
            gap, error = found["log_evidence"] - p.log_evidence, found["log_evidence_error"]
            print(f"  smc       TV {tv:.3f}, log evidence off by {gap:+.3f} ({error:.3f}), {seconds:.0f} s")
            tree, seconds = timed(p, draws=draws, method="nuts")
            tv = total_variation(p.shares(tree["posterior"]["x"].to_numpy()), p.weights)
            print(f"  nuts      TV {tv:.3f}, {seconds:.0f} s", flush=True)


def likelihoods(draws, seeds):
    for d, modes in CASES:
        for way in WAYS:
            rows = []
            for seed in range(seeds):
                p = problem(d, modes, seed=seed)
                tree, seconds = timed(p, draws=draws, method="tempered", likelihood=way)
                track = sampling_track(tree)
                tv = total_variation(p.shares(tree["posterior"]["x"].to_numpy()), p.weights)
                rows.append((crossings(track), tree.attrs["gradients"] / track.size, tv, seconds))
            cross, gradients, tv, seconds = np.mean(rows, 0)
            print(
                f"d = {d:<3d} {way:9s} crossings {cross:5.1f}, gradients {gradients:4.1f},"
                f" TV {tv:.3f}, {seconds:.0f} s",
                flush=True,
            )


def ranks(n, draws, seed=0):
    """Ranks (n, d) in [0, 1] and coverage of 50% and 90% intervals, for n prior draws of a mixture in d = 2."""
    fit = mixture([[-1.5, 0.0], [1.5, 0.5]], [0.6, 0.4], sd=0.5, least=0.1, most=5.0)
    rng = np.random.default_rng(seed)
    truth = np.asarray(fit.examples)[rng.integers(1000, size=n)] + 0.1 * rng.normal(size=(n, 2))
    y = truth.sum(1) + rng.normal(size=n)

    def program(y):
        with numpyro.plate("row", n):
            z = numpyro.sample("z", sd.LearnedPrior(fit))
            numpyro.sample("y", dist.Normal(z @ jnp.ones(2), 1.0), obs=y)

    tree = sd.sample(program, y, key=jax.random.key(seed), draws=draws, method="tempered", progress=False)
    z = tree["posterior"]["z"].to_numpy().reshape(-1, n, 2)
    covered = []
    for share in (0.5, 0.9):
        low, high = np.quantile(z, [(1 - share) / 2, (1 + share) / 2], axis=0)
        covered.append(np.mean((low <= truth) & (truth <= high)))
    return np.mean(z < truth, 0), covered


def calibration(draws, n):
    rank, (half, ninety) = ranks(n, draws)
    for i in range(2):
        print(f"coordinate {i}: uniform ranks, p = {stats.kstest(rank[:, i], 'uniform').pvalue:.3f}")
    print(f"coverage of 50% intervals {half:.3f}, of 90% intervals {ninety:.3f} ({2 * n} of each)")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=["mixtures", "likelihoods", "calibration"])
    parser.add_argument("--draws", type=int, default=2000, help="draws per chain")
    parser.add_argument("--seeds", type=int, default=3, help="problems of each kind")
    parser.add_argument("--prior-draws", type=int, default=200, help="prior draws of the calibration")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    if "mixtures" in args.parts:
        mixtures(args.draws, args.seeds)
    if "likelihoods" in args.parts:
        likelihoods(args.draws, args.seeds)
    if "calibration" in args.parts:
        calibration(args.draws, args.prior_draws)


if __name__ == "__main__":
    main()

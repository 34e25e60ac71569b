"""Are posteriors right where they are known?  `python -m benchmarks.posteriors [PART ..]`

mixtures       Gaussian-mixture priors with exact energies, d and number of modes as given, seen through a linear map
               with noise that leaves several modes alive, sampled until the level came down from its highest fifth
               VISITS times: total variation of the modes' weights, C2ST against exact draws (`two_sample.py`),
               evidence by SMC; NUTS at the lowest level beside it
learned        the same with energies learned from MANY rows by dual score matching
likelihoods    what the likelihood says along the levels, all four ways: crossings of the level's range (lowest to
               highest fifth or back) per 1000 iterations and chain, gradients per iteration, total variation
moves          SMC by Hamiltonian and by Langevin moves, one problem of each kind, REPEATS runs: rms error of the log
               evidence and mean total variation, and both times the root of the seconds, what one second would give

Processor seconds are given beside each row, compilation included except under `moves`.
"""

import argparse
import time
import warnings
from dataclasses import replace

import jax
import numpy as np

import symdsm as sd
from benchmarks.dual import MANY, sampled, trained
from benchmarks.two_sample import c2st
from tests.oracles.mixture_posterior import problem, total_variation

CASES = ((2, 8), (10, 4), (50, 3))
ROWS, REPEATS = 2000, 10
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
    """Descents from the highest fifth, where the modes are one, to the lowest level, over all chains."""
    side = np.where(track <= 0, -1, np.where(track >= 0.8, 1, 0))
    return sum(int(np.sum(np.diff(s[s != 0]) < 0)) for s in side)


def sampling_track(tree):
    group = tree["levels"]
    return group["track"].to_numpy()[:, group.attrs["sampling_from"] :]


def timed(p, seed=0, **how):
    start = time.process_time()
    tree = sd.sample(p.program, p.y, key=jax.random.key(seed), progress=False, **how)
    return tree, time.process_time() - start


def independent(p, wanted, draws):
    """A tempered run with about `wanted` descents of the level: (tree, their number, processor seconds)."""
    tree, seconds = timed(p, draws=draws, method="tempered")
    n = visits(sampling_track(tree))
    if n < wanted:
        tree, seconds = timed(p, draws=int(1.1 * draws * wanted / max(n, 1)), method="tempered")
        n = visits(sampling_track(tree))
    return tree, n, seconds


def told_apart(p, tree):
    """C2ST of the draws, evenly spaced, against as many exact ones."""
    x = tree["posterior"]["x"].to_numpy()
    x = x.reshape(-1, x.shape[-1])
    return c2st(p.draws(ROWS), x[np.linspace(0, len(x) - 1, ROWS).astype(int)], rounds=100)


def off(p, tree):
    return total_variation(p.shares(tree["posterior"]["x"].to_numpy()), p.weights)


def compare(p, draws, wanted):
    tree, n, seconds = independent(p, wanted, draws)
    error = np.sqrt(p.weights * (1 - p.weights) / max(n, 1)).sum() / 2
    print(
        f"  tempered  TV {off(p, tree):.3f} (2 se {2 * error:.3f} at {n} visits), C2ST {told_apart(p, tree):.3f},"
        f" {tree['posterior'].sizes['draw']} draws, {seconds:.0f} s",
        flush=True,
    )
    for method in ("smc", "smc-mala"):
        tree, seconds = timed(p, draws=draws, method=method)
        gap, error = tree.attrs["log_evidence"] - p.log_evidence, tree.attrs["log_evidence_error"]
        print(
            f"  {method:9s} TV {off(p, tree):.3f}, C2ST {told_apart(p, tree):.3f}, log evidence off by {gap:+.3f}"
            f" ({error:.3f}), {seconds:.0f} s",
            flush=True,
        )
    tree, seconds = timed(p, draws=draws, method="nuts")
    print(f"  nuts      TV {off(p, tree):.3f}, {seconds:.0f} s", flush=True)


def problems(dimensions, seeds):
    for d, modes in CASES:
        for seed in range(seeds if d in dimensions else 0):
            p = problem(d, modes, seed=seed)
            print(f"d = {d}, {modes} modes, seed {seed}: weights {np.sort(p.weights)[::-1].round(3)}", flush=True)
            yield seed, p


def mixtures(args):
    for _, p in problems(args.dimensions, args.seeds):
        compare(p, args.draws, args.visits)


def learned(args):
    for seed, p in problems(args.dimensions, args.seeds):
        start, shares = time.process_time(), np.exp(np.asarray(p.fit.log_weights, float))
        data = sampled(shares / shares.sum(), np.asarray(p.fit.centres), p.fit.sd, MANY, seed)
        levels = sd.geometric(p.fit.levels.least, p.fit.levels.most)
        fit = trained(data, levels, "dual", seed, args.steps, 128)
        print(f"  learned from {MANY} rows in {time.process_time() - start:.0f} s", flush=True)
        compare(replace(p, learned=fit), args.draws, args.visits)


def likelihoods(args):
    for d, modes in CASES:
        for way in WAYS if d in args.dimensions else ():
            rows = []
            for seed in range(args.seeds):
                p = problem(d, modes, seed=seed)
                tree, seconds = timed(p, draws=args.draws, method="tempered", likelihood=way)
                track = sampling_track(tree)
                rows.append((crossings(track), tree.attrs["gradients"] / track.size, off(p, tree), seconds))
            cross, gradients, tv, seconds = np.mean(rows, 0)
            print(
                f"d = {d:<3d} {way:9s} crossings {cross:5.1f}, gradients {gradients:4.1f},"
                f" TV {tv:.3f}, {seconds:.0f} s",
                flush=True,
            )


def moves(args):
    for _, p in problems(args.dimensions, 1):
        for method in ("smc", "smc-mala"):
            rows = []
            for tree, seconds in [timed(p, seed, draws=args.draws, method=method) for seed in range(REPEATS + 1)][1:]:
                rows.append(((tree.attrs["log_evidence"] - p.log_evidence) ** 2, off(p, tree), seconds))
            square, tv, seconds = np.mean(rows, 0)
            print(
                f"  {method:9s} log evidence off by {square**0.5:.3f}, TV {tv:.3f}, {seconds:.1f} s;"
                f" in one second {(square * seconds) ** 0.5:.3f}, {tv * seconds**0.5:.3f}",
                flush=True,
            )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}; all by default")
    parser.add_argument("--draws", type=int, default=2000, help="draws per chain, at first")
    parser.add_argument("--visits", type=int, default=400, help="descents of the level that a tempered run must make")
    parser.add_argument("--dimensions", type=int, nargs="+", default=[d for d, _ in CASES])
    parser.add_argument("--seeds", type=int, default=3, help="problems of each kind")
    parser.add_argument("--steps", type=int, default=6000, help="training steps of learned energies")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    for part in args.parts or PARTS:
        PARTS[part](args)


PARTS = {"mixtures": mixtures, "learned": learned, "likelihoods": likelihoods, "moves": moves}

if __name__ == "__main__":
    main()

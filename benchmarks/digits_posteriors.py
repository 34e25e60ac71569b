"""Posteriors of whole handwritten digits: `python -m benchmarks.digits_posteriors [PART ..]`

The prior is the energy of models/digits.py (z = log(1 + intensity), 8 x 8), trained anew with --seed.

travel         twelve held-out digits, left half seen through speckle of 4 looks, chains of 1000 draws: crossings of the
               level's range (lowest to highest fifth or back) per 1000 iterations and chain, gradients per iteration,
               processor seconds to a cold start's draws and to 1000 effective draws of the median pixel
likelihoods    twelve held-out digits, left half seen with normal noise of sd 0.1 in z: what the likelihood says along
               the levels, all four ways; the error of the posterior mean on the hidden half as a share of the data
               mean's, coverage of 90% intervals over the hidden pixels that vary
ambiguous      FEW pixels seen with normal noise: class proportions of the draws, by a classifier trained on noised
               digits, against importance sampling with PRIOR draws of the same prior (a tempered run of the program
               without data), whose effective size is given; two standard errors of the total variation from the
               spread of four chains each
"""

import argparse
import time
import warnings

import arviz as az
import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

import symdsm as sd
from benchmarks.posteriors import WAYS, crossings, sampling_track
from models.digits import HIDDEN, LEVELS, LOOKS, SEEN, STEPS, gaussian, speckle
from symdsm.errors import SamplingError
from tests.oracles.mixture_posterior import total_variation

COUNT, NOISE, PRIOR = 12, 0.1, 50_000
FEW, FEW_NOISE = ((2, 3), (3, 3), (4, 4), (5, 2)), 0.5


def data(seed):
    """z of training and held-out digits, dequantised; classes of both."""
    digits = load_digits()
    image = digits.images + 1.0 + np.random.default_rng(seed).uniform(size=digits.images.shape)
    return train_test_split(np.log(image), digits.target, random_state=0)


def learn(train, seed):
    net = sd.Energy((8, 8), key=jax.random.key(seed))
    return sd.fit(net, train, gaussian, key=jax.random.key(1000 + seed), levels=LEVELS, steps=STEPS, progress=False)


def posterior(program, y, key, **how):
    start = time.process_time()
    tree = sd.sample(program, y, key=jax.random.key(key), method="tempered", progress=False, **how)
    return tree, time.process_time() - start


def travelled(tree):
    track = sampling_track(tree)
    return crossings(track), tree.attrs["gradients"] / track.size


def travel(fit, train, test, _):
    def program(y):
        z = numpyro.sample("z", sd.LearnedPrior(fit))
        numpyro.sample("y", speckle.distribution(jnp.exp(z[SEEN]), L=LOOKS).to_event(2), obs=y)

    rows = []
    for n in range(COUNT):
        y = speckle.compile().sample(jax.random.key(n), jnp.exp(jnp.asarray(test[n][SEEN])), L=LOOKS)
        tree, seconds = posterior(program, y, n)
        ess = az.ess(tree["posterior"].to_dataset())["z"]
        rows.append((*travelled(tree), seconds, 1000 * seconds / float(ess.median())))
        cross, gradients, *times = rows[-1]
        print(
            f"  digit {n}: crossings {cross:.1f}, gradients {gradients:.1f}, {times[0]:.1f}, {times[1]:.1f} s",
            flush=True,
        )
    each = np.array(rows)
    print(
        f"travel: crossings {each[:, 0].mean():.1f} (least {each[:, 0].min():.1f}), gradients {each[:, 1].mean():.1f}"
        f" (most {each[:, 1].max():.1f}); first posterior, compilation included, {each[0, 2]:.0f} s, later ones"
        f" {each[1:, 2].mean():.1f} s; 1000 effective draws of the median pixel {each[1:, 3].mean():.1f} s"
    )


def likelihoods(fit, train, test, _):
    def program(y):
        z = numpyro.sample("z", sd.LearnedPrior(fit))
        numpyro.sample("y", dist.Normal(z[SEEN], NOISE).to_event(2), obs=y)

    baseline = np.square(train.mean(0) - test[:COUNT])[HIDDEN].mean()
    varies = np.broadcast_to(train.std(0) > 0.3, test[:COUNT].shape)[HIDDEN]
    for way in WAYS:
        rows, inside, error, of = [], [], [], []
        for n in range(COUNT):
            y = test[n][SEEN] + NOISE * np.random.default_rng(n).normal(size=(8, 4))
            try:
                tree, seconds = posterior(program, jnp.asarray(y, jnp.float32), n, likelihood=way)
            except SamplingError as refused:
                print(f"likelihood {way}, digit {n}: {refused.given[:200]}", flush=True)
                continue
            of.append(n)
            draws = tree["posterior"]["z"].to_numpy().reshape(-1, 8, 8)
            low, high = np.quantile(draws, [0.05, 0.95], axis=0)
            inside.append(((low <= test[n]) & (test[n] <= high))[HIDDEN])
            error.append(np.square(draws.mean(0) - test[n])[HIDDEN].mean())
            rows.append((*travelled(tree), tree.attrs["tilt"] > 0, seconds))
        cross, gradients, tilted, seconds = np.mean(rows, 0)
        covered = np.stack(inside)[varies[of]].mean()
        print(
            f"likelihood {way:9s} {len(of)} digits, error {np.mean(error) / baseline:.3f}, coverage {covered:.3f},"
            f" crossings {cross:.1f}, gradients {gradients:.1f}, tilted {tilted:.2f}, {seconds:.1f} s",
            flush=True,
        )


def classifier(fit, train, classes):
    """Class probabilities of draws (n, 8, 8), from digits noised at the lowest level of the fit."""
    noisy = np.repeat(train.reshape(-1, 64), 20, 0)
    noisy = noisy + fit.levels.least * np.random.default_rng(0).normal(size=noisy.shape)
    net = MLPClassifier((128,), early_stopping=True, max_iter=40, random_state=0).fit(noisy, np.repeat(classes, 20))
    return lambda draws: net.predict_proba(draws.reshape(-1, 64))


def ambiguous(fit, train, test, classes):
    rows, columns = np.array(FEW).T

    def program(y):
        z = numpyro.sample("z", sd.LearnedPrior(fit))
        if y is not None:
            numpyro.sample("y", dist.Normal(z[rows, columns], FEW_NOISE).to_event(1), obs=y)

    proportions = classifier(fit, train, classes)
    prior, seconds = posterior(program, None, 0, draws=PRIOR // 4)
    draws = prior["posterior"]["z"].to_numpy()
    shares = np.stack([proportions(chain) for chain in draws])
    print(f"{PRIOR} prior draws in {seconds:.0f} s; classes {shares.mean((0, 1)).round(3)}", flush=True)
    for n in range(COUNT):
        y = test[n][rows, columns] + FEW_NOISE * np.random.default_rng(n).normal(size=rows.size)
        log_weight = -np.square((draws[..., rows, columns] - y) / FEW_NOISE).sum(-1) / 2
        weight = np.exp(log_weight - log_weight.max())
        wanted = np.einsum("cd,cdk->ck", weight, shares) / weight.sum(1, keepdims=True)
        truth = np.average(shares.reshape(-1, 10), 0, weight.ravel())
        tree, seconds = posterior(program, jnp.asarray(y, jnp.float32), n, draws=12_000)
        found = np.stack([proportions(chain).mean(0) for chain in tree["posterior"]["z"].to_numpy()])
        error = np.sqrt((wanted.var(0, ddof=1) + found.var(0, ddof=1)) / 4).sum() / 2
        print(
            f"  digit {n}: TV {total_variation(found.mean(0), truth):.3f} (2 se {2 * error:.3f}), effective size"
            f" {weight.sum() ** 2 / np.square(weight).sum():.0f}, likeliest {np.sort(truth)[::-1][:3].round(2)};"
            f" {travelled(tree)[0]:.1f} crossings, {seconds:.0f} s",
            flush=True,
        )


PARTS = {"travel": travel, "likelihoods": likelihoods, "ambiguous": ambiguous}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}; all by default")
    parser.add_argument("--seed", type=int, default=0, help="of the dequantisation and the training")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    train, test, classes, _ = data(args.seed)
    start = time.process_time()
    fit = learn(train, args.seed)
    print(f"energy trained in {time.process_time() - start:.0f} s", flush=True)
    for part in args.parts or PARTS:
        PARTS[part](fit, train, test, classes)


if __name__ == "__main__":
    main()

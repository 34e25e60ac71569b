r"""What dual score matching knows that plain denoising score matching does not: `python -m benchmarks.dual [PART ..]`.

    weights     0.8 N(-4, 0.3^2) + 0.2 N(4, 0.3^2): the log ratio of the modes at the smallest level, truth 1.386,
                from an energy trained by each of the two objectives
    mixtures    0.5, 0.3, 0.2 N(m_k, 0.3^2 I) in d = 2, 10, 50, |m_k| = 4, from MANY rows: the drift of the normaliser,
                max over levels of |mean over y ~ q of log p_fit(y) - log q(y)|, anchored at the largest one, and
                the largest error of a log ratio of two modes at the smallest level
    digits      held-out log likelihood in bits per dimension of 8 x 8 digits, dequantised and smoothed

each with SEEDS seeds of network and training. The log ratio of two modes is log p_fit(m_j) - log p_fit(m_k), which for
the true density is log(w_j / w_k) at these distances.
"""

import argparse

import jax
import jax.numpy as jnp
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import symdsm as sd
from symdsm.families import gaussian

SEEDS, ROWS, MANY, DRAWS = 3, 4000, 50_000, 1000
LIMITS = {2: (0.1, 0.15), 10: (0.3, 0.2), 50: (1.0, 0.3)}


def sampled(weights, means, sd_, rows, seed):
    """Rows of the mixture with exact proportions."""
    rng = np.random.default_rng(seed)
    centres = np.repeat(means, np.round(rows * np.asarray(weights)).astype(int), axis=0)
    return (centres + sd_ * rng.normal(size=centres.shape)).astype(np.float32)


def log_density(y, weights, means, variance):
    """log of sum_k w_k N(m_k, variance I) at each row."""
    squares = ((y[:, None] - means) ** 2).sum(-1)
    d = y.shape[1]
    return jax.nn.logsumexp(
        jnp.log(weights) - squares / (2 * variance) - d / 2 * jnp.log(2 * jnp.pi * variance), axis=1
    )


def trained(data, levels, objective, seed, steps, width, batch=256):
    net = sd.Energy(data.shape[1:], key=jax.random.key(seed), width=width, depth=2)
    return sd.fit(
        net, data, gaussian(), key=jax.random.key(100 + seed), levels=levels, objective=objective, steps=steps,
        batch_size=batch, progress=False,
    )  # fmt: skip


def mode_ratios(fit, weights, means):
    """log p at mode j less log p at mode k, at the smallest level, of all pairs j < k."""
    found = -np.asarray(fit.energy(jnp.asarray(means, jnp.float32), fit.levels.least))
    j, k = np.triu_indices(len(weights), 1)
    return found[j] - found[k]


def drift(fit, weights, means, sd_, seed):
    """The largest mean error of the normalised log density over nine levels, with the level where it is."""
    worst = 0.0
    for k, level in enumerate(fit.levels.grid(9)):
        clean = sampled(weights, means, sd_, DRAWS, 1000 + seed)
        y = clean + float(level) * np.random.default_rng([seed, k]).normal(size=clean.shape).astype(np.float32)
        exact = log_density(jnp.asarray(y), jnp.asarray(weights), jnp.asarray(means), sd_**2 + level**2)
        worst = max(worst, abs(float(jnp.mean(fit.log_prob(y, level) - exact))))
    return worst


def weights(seeds, steps):
    print("mixture 0.8/0.2 at distance 8, log ratio of the modes at sigma = 0.1 (truth 1.386, wanted within 0.2)")
    shares, means = (0.8, 0.2), np.array([[-4.0, 0.0], [4.0, 0.0]])
    data = sampled(shares, means, 0.3, ROWS, 0)
    for objective in ("dual", "dsm"):
        for seed in range(seeds):
            fit = trained(data, sd.geometric(0.1, 10.0), objective, seed, steps, 128)
            print(f"  {objective}, seed {seed}: {mode_ratios(fit, shares, means)[0]:.3f}", flush=True)


def mixtures(seeds, steps):
    print("mixtures 0.5, 0.3, 0.2: drift of the normaliser (nats), largest error of a mode's log ratio")
    shares = (0.5, 0.3, 0.2)
    for d, (most_drift, most_error) in LIMITS.items():
        means = np.zeros((3, d))
        means[np.arange(3), np.arange(3) % d] = (4.0, 4.0, -4.0)
        data = sampled(shares, means, 0.3, MANY, 0)
        for seed in range(seeds):
            fit = trained(data, sd.geometric(0.1, 10.0), "dual", seed, steps, 256, batch=512)
            error = np.abs(mode_ratios(fit, shares, means) - np.log([0.5 / 0.3, 0.5 / 0.2, 0.3 / 0.2])).max()
            moved = drift(fit, shares, means, 0.3, seed)
            wanted = f"(wanted {most_drift}), {error:.3f} ({most_error})"
            print(f"  d = {d:2}, seed {seed}: {moved:.3f} {wanted}", flush=True)


def digits(seeds, steps):
    print("digits: log likelihood in bits per dimension of 8 x 8 images with grey levels 0..16, smoothed by sigma")
    images = load_digits().images.reshape(-1, 64)
    train, test = train_test_split(images, random_state=0)
    rng = np.random.default_rng(0)
    train, test = ((a + rng.uniform(size=a.shape)).astype(np.float32) for a in (train, test))
    for seed in range(seeds):
        fit = trained(train, sd.geometric(1.0, 40.0), "dual", seed, steps, 256)
        for level in (1.0, 2.0, 4.0):
            held_out, own = (
                -float(jnp.mean(fit.log_prob(a + level * rng.normal(size=a.shape).astype(np.float32), level)))
                / (64 * np.log(2))
                for a in (test, train[: len(test)])
            )
            noise = 0.5 * np.log2(2 * np.pi * np.e * level**2)
            print(f"  seed {seed}, sigma {level}: {held_out:.3f} held out, {own:.3f} training, noise alone {noise:.3f}")


PARTS = {"weights": weights, "mixtures": mixtures, "digits": digits}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}; all by default")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--steps", type=int, default=10_000)
    chosen = parser.parse_args()
    for part in chosen.parts or PARTS:
        PARTS[part](chosen.seeds, chosen.steps)

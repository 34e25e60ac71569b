"""Wind at Col de la Roa: 310 directions, seen through noise that lives on the circle.

    y | x ~ von Mises(x, kappa)                  kappa = 1/sigma^2
    y | x ~ wrapped normal(x, sigma)             heat on the circle, the kernel that trains a learned density
    y | x ~ wrapped Cauchy(x, gamma)             a vane that sticks now and then

An angle has no edge, so the check asks for nothing but a finite variance. The picture is the prior predictive one:
what would directions look like after each noise, before anything is learned? At little noise the data, at much of
it the uniform law, and in between the modes of the valley merge. The mean resultant length of the noised directions
has a closed form, (length of the data) times A(level), by which the draws are checked. Data: Agostinelli 2007.

The directions are those of 62 days, five in the hour from 3 to 4 in the morning. A density of directions is learned
from the even days and stands as the prior of each odd day's direction in a hierarchical regression,

    start_d ~ learned,   turn ~ Normal(0, 1),   log kappa ~ Normal(2, 1),
    y_dt ~ von Mises(start_d + turn t, kappa)    t = 0, 1/4, 1/2, 3/4 of an hour: the last of five is not seen,

whose posterior of turn and kappa is compared with the sum over a grid, the exact density of the noised even days being
the prior there. The last direction of each hour is then predicted, with that prior, with a flat one, and by the one
before it.
"""

from pathlib import Path

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import sympy as sp
from matplotlib.figure import Figure
from numpyro.diagnostics import split_gelman_rubin
from numpyro.infer import MCMC, NUTS
from numpyro.infer.reparam import CircularReparam
from scipy.special import ive, logsumexp

import symdsm as sd

DATA = Path(__file__).parent / "data" / "wind.csv"
LEVELS, DRAWS = (0.1, 0.4, 1.2), 10
TRAINED, STEPS = sd.geometric(0.2, 3.0), 3000
TIMES, SEEN = np.arange(5) / 4, np.s_[:, :4]

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

    days = (angles.reshape(62, 5) + np.pi) % (2 * np.pi) - np.pi
    fit = run.stage("prior", lambda: learn(run, days[::2].reshape(-1, 1)))
    odd = days[1::2]
    draws = {name: posterior(run, name, prior, odd[SEEN]) for name, prior in priors(fit).items()}
    exact = by_grid(days[::2].ravel(), odd[SEEN])
    for site, (mean, spread) in exact.items():
        found = draws["learned"][site]
        run.note(**{f"{site}_exact": [mean, spread], f"{site}_found": [float(found.mean()), float(found.std())]})
        run.note(**{f"{site}_r_hat": float(split_gelman_rubin(np.asarray(found)))})
    missed = {name: miss(end_of_hour(sample), odd[:, -1]) for name, sample in draws.items()}
    missed["last_seen"] = miss(odd[:, -2], odd[:, -1])
    run.note(**{f"missed_{name}": value for name, value in missed.items()})
    run.say(f"[regression] mean 1 - cos of the last direction's error: {missed}")


def learn(run, directions):
    net = sd.Energy((1,), key=run.key("net"), width=32)
    training = {"checkpoint": run.checkpoint("prior"), "resume": True}
    wrapped = kernels["wrapped_normal"]
    return sd.fit(net, directions, wrapped, key=run.key("fit"), levels=TRAINED, steps=STEPS, **training)


def priors(fit):
    return {"learned": sd.LearnedPrior(fit), "flat": dist.VonMises(0.0, 1e-6).expand([1]).to_event(1)}


def regression(prior, y):
    turn = numpyro.sample("turn", dist.Normal(0.0, 1.0))
    log_kappa = numpyro.sample("log_kappa", dist.Normal(2.0, 1.0))
    with numpyro.plate("days", len(y), dim=-2):
        start = numpyro.sample("start", prior.expand([len(y), 1]))
        with numpyro.plate("quarters", y.shape[1], dim=-1):
            path = start[..., 0] + turn * TIMES[: y.shape[1]]
            law = sd.families.von_mises().distribution(path, kappa=jnp.exp(log_kappa))
            numpyro.sample("y", law, obs=y)


def posterior(run, name, prior, y):
    around = numpyro.handlers.reparam(regression, config={"start": CircularReparam()})
    chains = {"num_chains": 2, "chain_method": "vectorized", "progress_bar": False}
    mcmc = MCMC(NUTS(around), num_warmup=500, num_samples=1000, **chains)
    mcmc.run(run.key(f"regression {name}"), prior, jnp.asarray(y))
    return mcmc.get_samples(group_by_chain=True)


def end_of_hour(sample):
    """The posterior mean direction of each day at the end of its hour."""
    path = sample["start"][..., 0, 0] + sample["turn"][..., None] * TIMES[-1]
    return np.angle(np.exp(1j * np.asarray(path)).mean((0, 1)))


def miss(found, truth):
    """Mean over days of 1 - cos(error)."""
    return float((1 - np.cos(found - truth)).mean())


def by_grid(even, y):
    """Mean and sd of turn and log kappa: both on a grid, each day's start summed over one turn of the circle."""
    start = np.linspace(-np.pi, np.pi, 181)[:-1]
    turn, log_kappa = np.linspace(-1.5, 1.5, 61), np.linspace(0.5, 6.0, 56)
    gap = start[:, None] - even + 2 * np.pi * np.arange(-2, 3)[:, None, None]
    prior = logsumexp(-(gap**2) / (2 * TRAINED.least**2), axis=(0, 2))
    kappa, log_joint = np.exp(log_kappa), np.zeros((turn.size, log_kappa.size))
    normaliser = np.log(ive(0, kappa))
    for i, b in enumerate(turn):
        bend = (np.cos(y[:, None] - start[:, None] - b * TIMES[: y.shape[1]]) - 1).sum(-1)  # (days, start)
        inner = logsumexp(prior + bend[..., None, :] * kappa[:, None], axis=-1).sum(0)
        log_joint[i] = inner - y.size * normaliser - b**2 / 2 - (log_kappa - 2) ** 2 / 2
    weight = np.exp(log_joint - log_joint.max())
    weight /= weight.sum()
    moments = {}
    for site, values, marginal in (("turn", turn, weight.sum(1)), ("log_kappa", log_kappa, weight.sum(0))):
        mean = marginal @ values
        moments[site] = float(mean), float(np.sqrt(marginal @ (values - mean) ** 2))
    return moments


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

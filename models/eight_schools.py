"""Eight schools in two studies: the posterior of the first becomes the prior of the second.

    y_j | mu, tau ~ Normal(mu, sqrt(s_j^2 + tau^2))        mu ~ Normal(0, 10), tau ~ HalfNormal(10)

The effects of coaching on a test in eight schools (Rubin 1981, J. Educ. Stat. 6) come as five and three. NUTS draws
from the posterior of the five; an energy learns the density of these draws of (mu/10, log tau) by dual score matching;
it stands as a LearnedPrior in a program that sees the three others only. If nothing was lost on the way, the answer is
the posterior of all eight, which two parameters allow to sum on a grid: errors are given in its standard deviations.
"""

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from numpyro.infer import MCMC, NUTS

import symdsm as sd

EFFECT = np.array([28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0])
ERROR = np.array([15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0])
FIRST, SECOND = slice(0, 5), slice(5, 8)
LEVELS, STEPS, SCALE = sd.geometric(0.1, 4.0), 2500, 10.0

gaussian = sd.families.gaussian()


def observe(place, log_tau, schools):
    mu = numpyro.deterministic("mu", SCALE * place)
    tau = numpyro.deterministic("tau", jnp.exp(log_tau))
    numpyro.sample("y", dist.Normal(mu, jnp.hypot(ERROR[schools], tau)), obs=EFFECT[schools])


def first_study():
    place = numpyro.sample("place", dist.Normal(0.0, 1.0))
    tau = numpyro.sample("spread", dist.HalfNormal(10.0))
    observe(place, jnp.log(tau), FIRST)


def main(run):
    run.kernel("gaussian", gaussian)
    mcmc = MCMC(NUTS(first_study), num_warmup=1000, num_samples=10_000, progress_bar=False)
    mcmc.run(run.key("first study"))
    draws = mcmc.get_samples()
    data = np.stack([draws["place"], np.log(draws["spread"])], axis=1)
    fit = run.stage("prior", lambda: learn(run, data))

    def second_study():
        both = numpyro.sample("both", sd.LearnedPrior(fit))
        observe(both[0], both[1], SECOND)

    key = run.key("second study")
    posterior = run.stage("posterior", lambda: sd.sample(second_study, key=key, chains=4, draws=1000))
    exact = grid(slice(0, 8))
    for name, (mean, deviation) in exact.items():
        found = posterior["posterior"][name].to_numpy().astype(float)
        run.note(**{f"{name}_exact": [mean, deviation], f"{name}_found": [float(found.mean()), float(found.std())]})
        run.note(**{f"{name}_off": float(abs(found.mean() - mean) / deviation)})
    diagnosis = sd.diagnose(posterior, program=second_study, fit=fit)
    run.note(verdict=diagnosis.verdict)
    run.say(f"[verdict] {diagnosis}")
    run.say(f"[page] {diagnosis.to_html(run.out / 'diagnosis.html')}")


def learn(run, data):
    net = sd.Energy((2,), key=run.key("net"))
    training = {"checkpoint": run.checkpoint("prior"), "resume": True}
    return sd.fit(net, data, gaussian, key=run.key("fit"), levels=LEVELS, steps=STEPS, **training)


def grid(schools):
    """Mean and standard deviation of mu and tau given these schools, by summing over a grid."""
    mu, tau = np.meshgrid(np.linspace(-50, 60, 1101), np.linspace(0.0025, 80, 1600), indexing="ij")
    log_joint = -(mu**2 + tau**2) / 200
    for effect, error in zip(EFFECT[schools], ERROR[schools], strict=True):
        variance = error**2 + tau**2
        log_joint -= (effect - mu) ** 2 / (2 * variance) + np.log(variance) / 2
    weight = np.exp(log_joint - log_joint.max())
    weight /= weight.sum()
    means = {name: (weight * value).sum() for name, value in (("mu", mu), ("tau", tau))}
    return {
        name: (float(means[name]), float(np.sqrt((weight * (value - means[name]) ** 2).sum())))
        for name, value in (("mu", mu), ("tau", tau))
    }

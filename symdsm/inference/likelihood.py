r"""What the likelihood says to a noised latent.

At level u a program holds a noised latent x_u, and its likelihood was written for a clean one. At the lowest level
(u = 0) all of these are the program as declared, so the posterior is the same; they differ on the way down. With
v(u) = E|x_u - x|^2 / d - E|x_0 - x|^2 / d, the variance that noise adds above the lowest level, over the training
examples, and s^2 the variance of these,

    "declared"   log p(y | x_u)                                      always valid
    "power"      beta log p(y | x_u),     beta = s^2 / (s^2 + v)     the weight fades with the noise; always valid
    "inflated"   y ~ N(loc(x_u), scale^2 + v diag(J J')),  J = d loc / dx        normal sites whose loc is linear in x
    "denoised"   log p(y | x_u + b (E[x | x_u] - x_u)),    b = min(u / RAMP, 1)  kernels with a denoiser

"inflated" is what integrates the noise out of a linear observation if that noise were independent of x_u; with
several learned sites the variances add up. "denoised" costs a derivative of the denoiser, about three gradients
in place of one, and suits kernels that move the mean (x_u is then not on the scale of x).

`"auto"` takes "inflated" where it applies, "power" where some observed site is not normal and linear: a likelihood
that multiplies, or exponentiates its latent, sees values at the largest level that it was never meant for.

On linear-Gaussian posteriors of Gaussian mixtures, three each, with exact energies and 8000 draws of four chains
(`python -m benchmarks.posteriors likelihoods --dimensions 2 10 --draws 8000`), the mean total variation of the modes'
weights from the exact ones and the crossings of the level's range per 1000 iterations are

                d = 2            d = 10
    declared    0.029, 56        0.032, 19
    power       0.024, 53        0.055, 13
    inflated    0.024, 50        0.040, 20
    denoised    0.022, 54        0.099, 14

Differences below 0.03 are Monte Carlo error (the part `mixtures` prints it), so nothing but "denoised" in ten
dimensions is set apart.

On twelve held-out digits, half hidden, half seen with normal noise (`python -m benchmarks.digits_posteriors
likelihoods`): the error of the posterior mean as a share of the data mean's, coverage of 90% intervals, crossings,
gradients per iteration

    declared    0.407, 0.95, 19.5, 15.6
    power       0.415, 0.95, 20.7, 17.0
    inflated    0.415, 0.96, 15.1, 29.8
    denoised    of one digit two chains did not come down, which is an error

so the first three answer the same, "declared" and "power" with half of the gradients of "inflated".
"""

import copy
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpyro.distributions as dist
from jax import random
from jaxtyping import Array, ArrayLike
from numpyro import handlers
from numpyro.primitives import Messenger

from symdsm.errors import DerivationError, ParameterError, SamplingError
from symdsm.inference.handlers import find_learned
from symdsm.inference.paths import RUNGS, table_at

__all__ = ["LIKELIHOODS", "Path", "added_noise", "core"]

LIKELIHOODS = ("auto", "declared", "power", "inflated", "denoised")
RAMP = 0.1
EXAMPLES, LARGEST = 256, 10_000_000


def added_noise(fit) -> tuple[Array, Array]:
    """(v at each rung (RUNGS + 1,), s^2) of the module docstring."""
    clean = fit.examples[:EXAMPLES]
    program, level = fit.kernel.compile(), fit.kernel.level.name

    def variance(u):
        noisy = program.sample(random.key(0), clean, **{**fit.params, level: fit.levels.at(u)})
        return jnp.mean((noisy - clean) ** 2)

    table = jnp.stack([variance(u) for u in jnp.arange(RUNGS + 1) / RUNGS])
    return jnp.maximum(table - table[0], 0.0), jnp.mean(jnp.var(clean, 0)) + 1e-12


def core(fn) -> dist.Distribution:
    """The distribution at the end of a chain of `base_dist`."""
    while (inner := getattr(fn, "base_dist", None)) is not None:
        fn = inner
    return fn


class Path:
    """The program along the levels: `path.at(program, u, power)` is the program with the likelihood for level u."""

    def __init__(self, kind: str, target):
        if kind not in LIKELIHOODS:
            raise ParameterError(
                given=f"likelihood={kind!r}",
                expected=" or ".join(f'"{name}"' for name in LIKELIHOODS),
                fix='leave likelihood out: it is "auto"',
            )
        noise = {name: added_noise(prior.fit) for name, prior in target.learned.items()}
        self.noise = {name: table for name, (table, _) in noise.items()}
        self.share = sum(table / s2 for table, s2 in noise.values()) / max(len(noise), 1) if noise else None
        self.rows = {}
        if kind in ("auto", "inflated") and noise:
            self.rows, why = _row_norms(target)
            if why and kind == "inflated":
                raise SamplingError(
                    given=f"likelihood='inflated' for a program in which {why}",
                    expected="observed normal sites whose mean is linear in the learned latents",
                    fix='use likelihood="power", "denoised" or "declared"',
                )
            kind = "power" if why and kind == "auto" else "inflated"
        if kind == "denoised":
            _check_denoisers(target)
        self.kind = kind if noise else "declared"

    def at(self, program: Callable, u: ArrayLike, power: ArrayLike | None = None) -> Callable:
        """The program at coordinate u, its observed sites weighed by `power`."""
        if self.kind == "power":
            beta = 1 / (1 + table_at(self.share, u))
            power = beta if power is None else power * beta
        elif self.kind == "inflated":
            program = _Inflated(program, self._variances(u))
        elif self.kind == "denoised":
            program = _Denoised(program, set(self.noise), jnp.minimum(jnp.maximum(u, 0.0) / RAMP, 1.0))
        return program if power is None else _Weighed(program, power)

    def _variances(self, u):
        at = {name: table_at(table, u) for name, table in self.noise.items()}
        return {site: sum(at[name] * squares for name, squares in rows.items()) for site, rows in self.rows.items()}


class _Weighed(Messenger):
    """Multiplies the log density of observed sites, factors included."""

    def __init__(self, fn, power):
        self.power = power
        super().__init__(fn)

    def process_message(self, msg):
        if msg["type"] == "sample" and msg["is_observed"]:
            msg["scale"] = self.power if msg.get("scale") is None else self.power * msg["scale"]


class _Inflated(Messenger):
    """Adds variances to observed normal sites, by name."""

    def __init__(self, fn, variances):
        self.variances = variances
        super().__init__(fn)

    def process_message(self, msg):
        if msg["type"] == "sample" and msg["name"] in self.variances:
            msg["fn"] = _widened(msg["fn"], self.variances[msg["name"]])


def _widened(fn, variance):
    if isinstance(fn, dist.Normal):
        return dist.Normal(fn.loc, jnp.sqrt(fn.scale**2 + variance.reshape(jnp.shape(fn.loc))))
    outer = copy.copy(fn)
    outer.base_dist = _widened(fn.base_dist, variance)
    return outer


class _Denoised(Messenger):
    """Hands the rest of the program x + b (E[clean | x] - x); the density of the site itself stays at x."""

    def __init__(self, fn, names, share):
        self.names, self.share = names, share
        super().__init__(fn)

    def postprocess_message(self, msg):
        if msg["type"] != "sample" or msg["name"] not in self.names:
            return
        prior, x = find_learned(msg["fn"]), msg["value"]
        msg["value"] = x + self.share * (prior.fit.denoise(x, prior.current_level) - x)


def _check_denoisers(target):
    for name, prior in target.learned.items():
        if not hasattr(prior.fit, "denoise"):
            raise DerivationError(
                given=f"likelihood='denoised' with a fit at site '{name}' that has no denoiser",
                expected="a fit with denoise(x, level)",
                fix='use likelihood="power" or "declared"',
            )
        prior.fit.denoise(prior.fit.examples[:1], prior.fit.levels.most)


def _row_norms(target) -> tuple[dict[str, dict[str, Array]], str]:
    """Squared row norms of d loc / d latent, by observed and learned site; or why "inflated" does not apply."""
    seen = {name: core(site["fn"]) for name, site in target.observed_sites.items()}
    if not seen:
        return {}, "nothing is observed"
    for name, fn in seen.items():
        if not isinstance(fn, dist.Normal):
            return {}, f"the site '{name}' is not normal"

    def locs(values, others):
        program = handlers.substitute(handlers.seed(target.program, random.key(0)), data={**others, **values})
        trace = handlers.trace(program).get_trace(*target.args, **target.kwargs)
        return {name: (core(trace[name]["fn"]).loc, core(trace[name]["fn"]).scale) for name in seen}

    found = []
    for key in random.split(random.key(0), 2):
        trace = target.cold_trace(key)
        values = {name: trace[name]["value"] for name in target.latent}
        learned = {name: values.pop(name) for name in target.learned}
        sizes = sum(x.size for x in learned.values()) * sum(fn.loc.size for fn in seen.values())
        if sizes > LARGEST:
            return {}, "the Jacobian of the observed means is too large"
        found.append(jax.jacobian(locs)(learned, values))
    first, second = found
    for name, (loc, scale) in first.items():
        for latent in target.learned:
            moved = jnp.max(jnp.abs(loc[latent] - second[name][0][latent]))
            if moved > 1e-4 * (1e-6 + jnp.max(jnp.abs(loc[latent]))) or jnp.any(scale[latent] != 0):
                return {}, f"the mean of '{name}' is not linear in '{latent}', or its scale depends on it"

    def squares(jacobian, name):
        axes = tuple(range(seen[name].loc.ndim, jacobian.ndim))
        return jnp.sum(jacobian**2, axes)

    return {
        name: {latent: squares(loc[latent], name) for latent in target.learned} for name, (loc, _) in first.items()
    }, ""

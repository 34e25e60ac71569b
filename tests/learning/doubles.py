"""A Gaussian kernel written by hand, so that learning is tested apart from the symbolic rooms."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np


class GaussianProgram:
    """y = x + sigma * e + shift with e standard normal."""

    source = "by hand"

    def log_prob(self, y, x, /, *, sigma, shift=0.0):
        return -0.5 * ((y - x - shift) / sigma) ** 2 - jnp.log(sigma) - 0.5 * jnp.log(2 * jnp.pi)

    def score(self, y, x, /, *, sigma, shift=0.0):
        return -(y - x - shift) / sigma**2

    def level_score(self, y, x, /, *, sigma, shift=0.0):
        return ((y - x - shift) / sigma) ** 2 / sigma - 1 / sigma

    def sample(self, key, x, /, *, sigma, shift=0.0):
        return x + sigma * jax.random.normal(key, x.shape, x.dtype) + shift

    def target(self, key, x, /, *, sigma, shift=0.0):
        e = jax.random.normal(key, x.shape, x.dtype)
        return x + sigma * e + shift, -e / sigma

    def dual_target(self, key, x, /, *, sigma, shift=0.0):
        e = jax.random.normal(key, x.shape, x.dtype)
        return x + sigma * e + shift, -e / sigma, (e**2 - 1) / sigma

    def fisher(self, x, /, *, sigma, shift=0.0):
        return jnp.ones_like(x) / sigma**2

    def mean_score(self, x, /, **params):
        return jnp.zeros_like(x)


class GaussianKernel:
    """The declaration that goes with it; `verdict` overrides what the check says."""

    event_ndim = 0
    level = SimpleNamespace(name="sigma")

    def __init__(self, names=("sigma",), **verdict):
        self.params = tuple(SimpleNamespace(name=name) for name in names)
        self.digest = "gaussian " + " ".join(names)
        self.verdict = {
            "identity": True,
            "variance": True,
            "level": True,
            "mean": True,
            "boundary": True,
            "reason": "",
            "remedy": "",
        } | verdict

    def compile(self):
        return PROGRAM

    def check(self):
        return SimpleNamespace(judge=lambda **values: SimpleNamespace(**self.verdict))

    def to_json(self):
        return "{}"


PROGRAM = GaussianProgram()


class Multiplicative(GaussianProgram):
    """y = x + sigma * x * e for positive x: its Fisher information depends on the clean value."""

    def log_prob(self, y, x, /, *, sigma):
        return super().log_prob(y, x, sigma=sigma * x)

    def score(self, y, x, /, *, sigma):
        return super().score(y, x, sigma=sigma * x)

    def sample(self, key, x, /, *, sigma):
        return super().sample(key, x, sigma=sigma * x)

    def target(self, key, x, /, *, sigma):
        return super().target(key, x, sigma=sigma * x)

    def dual_target(self, key, x, /, *, sigma):
        e = jax.random.normal(key, x.shape, x.dtype)
        return x + sigma * x * e, -e / (sigma * x), (e**2 - 1) / sigma


class Mixture:
    """A Gaussian mixture with one sd; noised by sigma it is the same mixture with variance sd^2 + sigma^2."""

    def __init__(self, weights, means, sd):
        self.weights, self.means, self.sd = jnp.asarray(weights), jnp.asarray(means), sd

    def draw(self, rng, n):
        """Exact proportions, so that the data's own mixture has these weights."""
        counts = np.round(n * np.asarray(self.weights)).astype(int)
        centres = np.repeat(np.asarray(self.means), counts, axis=0)
        return (centres + self.sd * rng.normal(size=centres.shape)).astype(np.float32)

    def log_prob(self, y, sigma):
        """log q(y; sigma) of one event."""
        v = self.sd**2 + sigma**2
        parts = -jnp.sum((y - self.means) ** 2, -1) / (2 * v) - y.size / 2 * jnp.log(2 * jnp.pi * v)
        return jax.nn.logsumexp(parts + jnp.log(self.weights))

    def denoise(self, y, sigma):
        """E[x | y] of one event, by Tweedie's formula."""
        return y + sigma**2 * jax.grad(self.log_prob)(y, sigma)

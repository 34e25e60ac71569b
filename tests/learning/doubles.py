"""A Gaussian kernel written by hand, so that learning is tested apart from the symbolic rooms."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp


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

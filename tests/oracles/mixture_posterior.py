"""Linear-Gaussian posteriors of Gaussian mixtures, in closed form.

x ~ sum_k w_k N(c_k, v I),   y | x ~ N(A x, tau^2 I):

weights     w_k N(y; A c_k, S),  S = v A A' + tau^2 I, whose sum is the evidence
component   N(c_k + v A' S^-1 (y - A c_k), v I - v^2 A' S^-1 A)
"""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from scipy import stats
from scipy.special import logsumexp

from symdsm.inference.priors import LearnedPrior
from tests.inference.conftest import mixture


@dataclass
class Problem:
    """A mixture prior as an exact fit, an observation, and the exact posterior at the lowest level; the program takes
    the fit that was learned, if there is one."""

    fit: object
    A: np.ndarray
    y: np.ndarray
    tau: float
    learned: object = None

    def program(self, y):
        x = numpyro.sample("x", LearnedPrior(self.fit if self.learned is None else self.learned))
        numpyro.sample("y", dist.Normal(jnp.asarray(self.A) @ x, self.tau).to_event(1), obs=y)

    @property
    def variance(self):
        return float(self.fit.sd**2 + self.fit.levels.least**2)

    @property
    def _marginal(self):
        return self.variance * self.A @ self.A.T + self.tau**2 * np.eye(len(self.A))

    @property
    def _log_weights(self):
        means = np.asarray(self.fit.centres) @ self.A.T
        return np.asarray(self.fit.log_weights) + [
            stats.multivariate_normal(m, self._marginal).logpdf(self.y) for m in means
        ]

    @property
    def log_evidence(self):
        return float(logsumexp(self._log_weights))

    @property
    def weights(self):
        return np.exp(self._log_weights - self.log_evidence)

    @property
    def moments(self):
        """Means (k, d) and the common covariance (d, d) of the components."""
        gain = self.variance * self.A.T @ np.linalg.inv(self._marginal)
        centres = np.asarray(self.fit.centres)
        means = centres + (self.y - centres @ self.A.T) @ gain.T
        return means, self.variance * np.eye(centres.shape[1]) - self.variance * gain @ self.A

    def draws(self, n, seed=0):
        rng = np.random.default_rng(seed)
        means, covariance = self.moments
        pick = rng.choice(len(means), n, p=self.weights)
        return means[pick] + rng.multivariate_normal(np.zeros(len(covariance)), covariance, n)

    def memberships(self, x):
        """The probabilities (..., k) that draws (..., d) come from each component of the posterior."""
        means, covariance = self.moments
        whiten = np.linalg.inv(np.linalg.cholesky(covariance)).T
        square = (((x[..., None, :] - means) @ whiten) ** 2).sum(-1)
        log_share = np.log(self.weights) - square / 2
        return np.exp(log_share - logsumexp(log_share, axis=-1, keepdims=True))

    def shares(self, x):
        """Shares of draws (..., d): their mean memberships."""
        return self.memberships(x.reshape(-1, x.shape[-1])).mean(0)


def problem(d: int, modes: int, seed: int = 0, radius: float = 4.0, tau: float = 2.0) -> Problem:
    """`modes` components of sd 0.3 at distance `radius` from the centre; a fifth of the directions seen."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(modes, d))
    centres *= radius / np.linalg.norm(centres, axis=1, keepdims=True)
    fit = mixture(centres, rng.dirichlet(np.full(modes, 4.0)), sd=0.3, least=0.1, most=2 * radius)
    A = np.linalg.qr(rng.normal(size=(d, max(d // 5, 1))))[0].T
    x = centres[rng.integers(modes)] + 0.3 * rng.normal(size=d)
    return Problem(fit, A, A @ x + tau * rng.normal(size=len(A)), tau)


def total_variation(a, b) -> float:
    """Half of the summed absolute difference."""
    return float(np.abs(np.asarray(a) - b).sum() / 2)

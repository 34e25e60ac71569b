"""`Fit.denoise` on an exact score, so that nothing is trained: the kernel's formula, or an error that says why."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import symdsm as sd
from symdsm.errors import DerivationError
from symdsm.learning.curves import Curve
from symdsm.learning.fitted import Fit
from symdsm.learning.history import History
from symdsm.learning.levels import geometric
from symdsm.learning.networks import Score
from symdsm.learning.noise import Noise
from symdsm.learning.potentials import ScorePotential
from symdsm.learning.scaling import Scaling

SHAPE, RATE = 3.0, 2.0  # 1/x ~ Gamma(SHAPE, rate RATE)


class ExactSpeckle(ScorePotential):
    """The score of q(y) when 1/x ~ Gamma(a, b) and y = x e, e ~ Gamma(L, 1/L): q is y^(L-1) (b + L y)^-(a + L)."""

    def score(self, y, u):
        looks = self.noise.at(u)["L"]
        return (looks - 1) / y - looks * (SHAPE + looks) / (RATE + looks * y)


def fit_of(potential, kernel, level):
    blank, point = Curve(jnp.zeros(1)), jnp.zeros(())
    noise = Noise({}, geometric(20.0, 2.0), level, False, kernel.compile())
    net = Score((2,), key=jax.random.key(0), width=2, depth=0)
    scaling = Scaling(point, point, point, *[blank] * 5, None)
    return Fit(potential(net, noise, scaling), jnp.zeros((2, 2)), kernel, "dsm", History(), False, False, False)


def test_the_harmonic_mean_for_speckle_at_every_level():
    found = fit_of(ExactSpeckle, sd.families.speckle(), "L")
    y, looks = np.array([[0.3, 1.0], [2.0, 5.0]], np.float32), np.array([3.0, 12.0], np.float32)
    exact = (RATE + looks[:, None] * y) / (SHAPE + looks[:, None])  # 1/E[1/x | y]
    np.testing.assert_allclose(found.denoise(y, looks), exact, rtol=1e-5)


def test_a_kernel_without_a_denoiser_names_what_its_score_identifies():
    found = fit_of(ScorePotential, sd.families.von_mises(), "kappa")
    with pytest.raises(DerivationError, match=r"E\[sin\(x - y\) \| y\] = l/kappa"):
        found.denoise(jnp.zeros(2), 4.0)

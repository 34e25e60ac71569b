"""The emitted array code: value against NumPy by hand, score against autodiff of the value."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from symdsm.codegen import special
from symdsm.codegen.arrays import emit_log_prob, emit_score
from symdsm.symbolic.indexed import declare
from tests.coupled_cases import CASES, arrays


def run(source):
    space = {"jax": jax, "jnp": jnp, "special": special}
    exec(source, space)
    return space[source.split("(")[0].removeprefix("def ")]


def density(case):
    return declare(case.log_density, case.noisy, case.clean)


pytestmark = pytest.mark.usefixtures("x64")


@pytest.mark.parametrize("name", CASES)
def test_value_and_score(name):
    case = CASES[name]
    y, x, parameters = jax.tree.map(jnp.asarray, arrays(case))
    d = density(case)
    log_prob, score = run(emit_log_prob(d)), run(emit_score(d))

    @jax.jit
    def everything(y):
        by_hand = jax.value_and_grad(lambda v: case.by_hand(v, x, **parameters))(y)
        return by_hand, jax.value_and_grad(log_prob)(y, x, **parameters), score(y, x, **parameters)

    (value, gradient), (ours, ours_gradient), derived = everything(y)
    np.testing.assert_allclose(ours, value, rtol=1e-13)
    tolerance = {"rtol": 1e-12, "atol": 1e-13 * np.max(np.abs(gradient))}
    np.testing.assert_allclose(derived, gradient, **tolerance)
    np.testing.assert_allclose(derived, ours_gradient, **tolerance)

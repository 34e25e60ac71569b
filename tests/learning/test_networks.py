import jax
import jax.numpy as jnp
import numpy as np
import pytest

from symdsm.errors import ParameterError
from symdsm.learning.networks import Denoiser, Energy, Score


@pytest.mark.parametrize("backbone", ["residual", "mlp"])
def test_energy_is_scalar_and_smooth_in_both_arguments(backbone):
    net = Energy((2, 3), key=jax.random.key(0), width=16, depth=1, backbone=backbone)
    v = jax.random.normal(jax.random.key(1), (2, 3))
    assert net(v, jnp.asarray(0.3)).shape == ()
    curve = jax.jit(jax.vmap(lambda u: jax.grad(net, argnums=1)(v, u)))(jnp.linspace(0, 1, 2001))
    steps = np.diff(np.asarray(curve))
    assert np.abs(np.diff(steps)).max() < 1e-3, "the level score has a kink"


@pytest.mark.parametrize("kind", [Score, Denoiser])
def test_fields_have_the_event_shape(kind):
    net = kind((2, 3), key=jax.random.key(0), width=16, depth=1)
    assert net(jnp.ones((2, 3)), jnp.asarray(0.3)).shape == (2, 3)


def test_unknown_backbone_lists_the_known_ones():
    with pytest.raises(ParameterError, match="residual"):
        Energy((2,), key=jax.random.key(0), backbone="transformer")

import signal

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from symdsm.errors import FitError
from symdsm.learning import arrays, training
from symdsm.learning.fit import fit
from symdsm.learning.levels import geometric
from symdsm.learning.networks import AbstractScore, Score
from tests.learning.doubles import GaussianKernel

DATA = np.random.default_rng(0).normal(size=(60, 1)).astype(np.float32)
LEVELS = geometric(0.1, 5.0)


class Affine(AbstractScore):
    """The smallest network: slope * v; `nan_above` spoils it at high levels."""

    slope: jax.Array
    event_shape: tuple[int, ...] = (1,)
    nan_above: float = 2.0

    def __call__(self, x, level):
        return jnp.where(level > self.nan_above, jnp.nan, self.slope * x)


def run(steps=250, seed=1, net=None, **options):
    net = Affine(jnp.zeros(1)) if net is None else net
    options = dict(levels=LEVELS, objective="dsm", batch_size=16, validation=0.0, progress=False) | options
    return fit(net, DATA, GaussianKernel(), key=jax.random.key(seed), steps=steps, **options)


class InterruptingBar(training.tqdm):
    """A progress bar that presses Ctrl-C after the first chunk."""

    def update(self, n=1):
        super().update(n)
        signal.raise_signal(signal.SIGINT)


def test_ctrl_c_checkpoints_and_resume_is_bit_for_bit(tmp_path, monkeypatch):
    whole = run()
    with monkeypatch.context() as patch:
        patch.setattr(training, "tqdm", InterruptingBar)
        part = run(checkpoint=tmp_path)
    assert part.interrupted and not whole.interrupted
    assert part.history["step"].tolist() == [100.0]
    rest = run(checkpoint=tmp_path, resume=True)
    assert not rest.interrupted
    np.testing.assert_array_equal(rest.model.slope, whole.model.slope)
    for name in whole.history:
        np.testing.assert_array_equal(rest.history[name], whole.history[name])
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_steps_that_are_no_multiple_of_the_chunk_are_exact():
    assert run(steps=130).history["step"].tolist() == [100.0, 130.0]
    assert run(steps=7).history["step"].tolist() == [7.0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (dict(seed=2), "key"),
        (dict(steps=300), "settings"),
        (dict(levels=geometric(0.1, 4.0)), "levels"),
        (dict(net=Affine(jnp.ones(1))), "network"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused(tmp_path, change, words):
    run(checkpoint=tmp_path)
    with pytest.raises(FitError, match=f"another run: {words} differ"):
        run(**(dict(checkpoint=tmp_path, resume=True) | change))


def test_nan_stops_with_step_and_level():
    with pytest.raises(FitError, match=r"at step 0 \(loss nan\), at sigma=4\.\d+"):
        run(net=Affine(jnp.zeros(1), nan_above=0.95))


def test_a_full_disk_warns_and_training_goes_on(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(arrays.os, "fsync", full)
    with pytest.warns(UserWarning, match="training goes on"):
        assert not run(checkpoint=tmp_path).interrupted


def test_history_shows_the_loss_by_level():
    history = run(net=Score((1,), key=jax.random.key(0), width=8, depth=1), validation=0.2).history
    assert history["by_level"].shape == (len(history["validation"]), 8)
    np.testing.assert_allclose(history["by_level"].mean(1), history["validation"], rtol=1e-5)
    assert history["by_level"][-1, 0] > history["by_level"][-1, -1], "the noise is hardest to tell at low levels"

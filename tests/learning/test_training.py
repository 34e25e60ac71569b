import signal

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from symdsm.errors import FitError, ParameterError
from symdsm.learning import arrays, training
from symdsm.learning.fit import fit
from symdsm.learning.levels import geometric
from symdsm.learning.networks import AbstractScore, Score
from tests.learning.doubles import GaussianKernel

DATA = np.random.default_rng(0).normal(size=(60, 1)).astype(np.float32)
KERNEL = GaussianKernel()
LEVELS = geometric(0.1, 5.0)


class Affine(AbstractScore):
    """The smallest network: slope * v; `nan_above` spoils it at high levels, `nan_beyond` at far events."""

    slope: jax.Array
    event_shape: tuple[int, ...] = (1,)
    nan_above: float = 2.0
    nan_beyond: float = 1e9

    def __call__(self, x, level):
        return jnp.where((level > self.nan_above) | (x > self.nan_beyond), jnp.nan, self.slope * x)


class Frozen(AbstractScore):
    """A network that learns nothing."""

    slope: jax.Array
    event_shape: tuple[int, ...] = (1,)

    def __call__(self, x, level):
        return jax.lax.stop_gradient(self.slope) * x


def run(steps=250, seed=1, net=None, data=DATA, kernel=KERNEL, **options):
    net = Affine(jnp.zeros(1)) if net is None else net
    options = dict(levels=LEVELS, objective="dsm", batch_size=16, validation=0.0, progress=False) | options
    return fit(net, data, kernel, key=jax.random.key(seed), steps=steps, **options)


class InterruptingBar(training.tqdm):
    """A progress bar that presses Ctrl-C after the first chunk."""

    def update(self, n=1):
        super().update(n)
        signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("options", [{}, dict(patience=9, validation=0.2)], ids=["plain", "patient"])
def test_ctrl_c_checkpoints_and_resume_is_bit_for_bit(tmp_path, monkeypatch, options):
    handler = signal.getsignal(signal.SIGINT)
    whole = run(**options)
    with monkeypatch.context() as patch:
        patch.setattr(training, "tqdm", InterruptingBar)
        part = run(checkpoint=tmp_path, **options)
    assert part.interrupted and not whole.interrupted
    assert part.history["step"].tolist() == [100.0]
    rest = run(checkpoint=tmp_path, resume=True, **options)
    assert not rest.interrupted
    np.testing.assert_array_equal(rest.model.slope, whole.model.slope)
    for name in whole.history:
        np.testing.assert_array_equal(rest.history[name], whole.history[name])
    assert signal.getsignal(signal.SIGINT) is handler


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
        (dict(kernel=GaussianKernel(("sigma", "shift")), params={"shift": 0.0}), "kernel, params"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused(tmp_path, change, words):
    run(checkpoint=tmp_path)
    with pytest.raises(FitError, match=f"another run: {words} differ"):
        run(**(dict(checkpoint=tmp_path, resume=True) | change))


def test_nan_stops_with_step_level_and_row():
    with pytest.raises(FitError, match=r"at step 0 \(loss nan\), at sigma=4\.\d+, row \d+"):
        run(net=Affine(jnp.zeros(1), nan_above=0.95))
    data = DATA.copy()
    data[17] = 30.0
    with pytest.raises(FitError, match=r"at step \d+ \(loss nan\), at sigma=[0-9.]+, row 17\n"):
        run(net=Affine(jnp.zeros(1), nan_beyond=3.0), data=data, levels=geometric(0.1, 0.2))


def test_training_ends_when_held_out_rows_gain_nothing():
    found = run(net=Frozen(jnp.ones(1)), steps=2000, validation=0.3, patience=3, weight_decay=0.0)
    assert found.history["checked"].tolist() == [100.0, 200.0, 300.0, 400.0]
    assert not found.interrupted
    with pytest.raises(ParameterError, match="held-out rows"):
        run(patience=3)


def test_the_best_look_is_what_is_kept():
    best = training._Best(jnp.zeros(1), np.asarray(np.inf), np.asarray(0))
    for loss in (0.9, 0.5, 0.7, 0.6):
        best = training._better(best, jnp.full(1, loss), loss)
    assert float(best.average[0]) == pytest.approx(0.5) and int(best.since) == 2


def test_a_batch_must_split_evenly():
    with pytest.raises(ParameterError, match="multiple of 3"):
        run(devices=jax.devices() * 3)


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
    np.testing.assert_allclose(history["levels"].mean(1), history["loss"], rtol=0.02)


def test_the_picture_shows_the_history():
    found = run(validation=0.2)
    by_step, by_level = found.plot().axes
    np.testing.assert_array_equal(by_step.lines[0].get_ydata(), found.history["loss"])
    np.testing.assert_array_equal(by_level.lines[0].get_ydata(), found.history["by_level"][-1])
    assert by_level.get_xlabel() == "sigma" and by_level.lines[0].get_xdata()[0] == pytest.approx(0.1 * 50 ** (1 / 16))

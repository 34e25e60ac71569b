"""Rows from a sampler and from an iterator: the same law learned, resumed bit for bit, bad rows named."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from symdsm.errors import DataError, FitError, ParameterError, ShapeError
from symdsm.learning.coordinates import Real
from symdsm.learning.fit import fit
from symdsm.learning.levels import geometric
from symdsm.learning.networks import AbstractScore
from symdsm.learning.sources import REFERENCE, Stream
from tests.learning.doubles import GaussianKernel


class Linear(AbstractScore):
    """slope * v (+ share * c)."""

    slope: jax.Array
    share: jax.Array
    event_shape: tuple[int, ...] = (1,)
    context_shape: tuple[int, ...] | None = None

    def __call__(self, x, level, context=None):
        return self.slope * x + (0.0 if context is None else self.share * context)


def run(data, steps=250, net=None, **options):
    net = Linear(jnp.zeros(1), jnp.zeros(1)) if net is None else net
    options = dict(levels=geometric(0.5, 5.0), objective="dsm", batch_size=32, progress=False) | options
    return fit(net, data, GaussianKernel(), key=jax.random.key(1), steps=steps, **options)


def sampler(key, n):
    return 3 + 2 * jax.random.normal(key, (n, 1))


def batches(rows=50, spoil=None, end=10**6):
    """N(3, 4) in batches of `rows`; row `spoil` is NaN."""
    rng = np.random.default_rng(0)
    for k in range(end):
        x = 3 + 2 * rng.normal(size=(rows, 1))
        if spoil is not None and 0 <= spoil - k * rows < rows:
            x[spoil - k * rows] = np.nan
        yield x


@pytest.mark.parametrize("source", [sampler, batches()], ids=["sampler", "iterator"])
def test_the_score_of_data_without_end(source):
    found = run(source, steps=300, learning_rate=0.02)
    y = np.linspace(-2, 8, 11)[:, None]
    np.testing.assert_allclose(found.score(y, 1.0), (3 - y) / 5, atol=0.12)
    assert found.examples.mean() == pytest.approx(3.0, abs=4 * 2 / 1000**0.5)
    assert "validation" in found.history


@pytest.mark.slow
def test_an_iterator_is_resumed_bit_for_bit(tmp_path):
    whole = run(batches())
    with pytest.raises(FitError, match="ended after"):
        run(batches(end=(REFERENCE + 180 * 32) // 50), checkpoint=tmp_path)
    rest = run(batches(rows=50), checkpoint=tmp_path, resume=True)
    np.testing.assert_array_equal(rest.model.slope, whole.model.slope)
    np.testing.assert_array_equal(rest.history["loss"], whole.history["loss"])


def test_batches_of_any_size_are_the_same_rows():
    rows = np.arange(100.0)[:, None]
    whole, parts = Stream(iter([rows])), Stream(iter(np.split(rows, [3, 40, 41, 77])))
    for stream in (whole, parts):
        stream.coordinates = Real()
    assert [len(parts.take(5)[0]), len(whole.take(5)[0])] == [5, 5]
    for _ in range(2):
        np.testing.assert_array_equal(whole.feed(3, 7).rows[0], parts.feed(3, 7).rows[0])
    assert parts.feed(2, 4).rows[0].ravel().tolist() == list(range(47, 55))


def test_pairs_bring_their_contexts():
    def pairs(key, n):
        c, e = jax.random.normal(key, (2, n, 1))
        return c + 0.5 * e, c

    found = run(pairs, net=Linear(jnp.zeros(1), jnp.zeros(1), context_shape=(1,)), steps=300, learning_rate=0.02)
    assert found.contexts.shape == found.examples.shape
    assert np.corrcoef(found.contexts[:, 0], found.examples[:, 0])[0, 1] > 0.85
    assert found.score(jnp.zeros(1), 0.5, jnp.ones(1)) > found.score(jnp.zeros(1), 0.5, -jnp.ones(1))


@pytest.mark.parametrize(
    ("data", "change", "error", "words"),
    [
        (batches(spoil=REFERENCE + 70), {}, DataError, f"the first is its row {REFERENCE + 70}"),
        (batches(spoil=8), {}, DataError, "1 of 4096 rows with NaN .*rows 8"),
        (batches(end=3), {}, FitError, "ended after 150 rows"),
        (lambda key, n: sampler(key, 5), {}, ShapeError, r"shape \(5, 1\) for n=4096"),
        (sampler, dict(context=np.ones((5, 1))), ParameterError, "pairs"),
    ],
)
def test_bad_sources(data, change, error, words):
    with pytest.raises(error, match=words):
        run(data, **change)

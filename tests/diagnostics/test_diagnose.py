"""The verdict on runs whose quality is known by construction."""

import re

import numpy as np
import pytest
import xarray as xr
from arviz_base import dict_to_dataset

from symdsm.diagnostics.diagnose import diagnose
from symdsm.errors import DataError
from tests.inference.conftest import mixture

LEVEL, SD = 0.5, 0.7
DESCENT = np.tile(np.linspace(1, -1, 20), (4, 5))


@pytest.fixture
def fit():
    return mixture([[1.0] * 8], [1.0], sd=SD, least=LEVEL, most=5.0)


def tree(z, track=DESCENT, diverging=0.0, tempered=False, **attrs):
    z = np.asarray(z, "float32")
    stats = {"diverging": np.random.default_rng(1).uniform(size=z.shape[:2]) < diverging}
    groups = {"posterior": dict_to_dataset({"z": z}), "sample_stats": dict_to_dataset(stats)}
    if track is not None:
        groups["levels"] = xr.Dataset({"track": (("chain", "iteration"), track)})
        if tempered:
            groups["levels"]["weight"] = "rung", np.zeros(33)
    made = xr.DataTree.from_dict(groups)
    made.attrs.update({"learned_sites": ["z"], **attrs})
    return made


def good(chains=4, draws=500):
    return 1.0 + np.hypot(SD, LEVEL) * np.random.default_rng(0).normal(size=(chains, draws, 8))


def apart():
    return good() + 3.0 * np.arange(4)[:, None, None]


def test_trusts_draws_of_the_right_law(fit):
    d = diagnose(tree(good()), fit=fit)
    assert d.verdict == "trust" and d.reasons == () and d.table["ok"].all()
    assert {"R-hat", "ESS bulk", "ESS tail", "MCSE / sd", "typicality of z"} <= set(d.table["check"])
    assert list(d.table.columns) == ["check", "value", "threshold", "limit", "p_value", "ok", "advice", "why"]
    assert str(d) == "trust: every check is passed"


@pytest.mark.parametrize(
    "bad, verdict, words",
    [
        (tree(good() * 5), "do not trust", "typicality of z"),
        (tree(good(), track=None), "look", "level travel"),
        (tree(good(), track=np.zeros((4, 100))), "do not trust", "level travel"),
        (tree(good(), track=DESCENT[:, :40], tempered=True), "do not trust", "travels too little"),
        (tree(apart()), "do not trust", "R-hat"),
        (tree(np.repeat(good(draws=4), 100, axis=1)), "do not trust", "ESS bulk"),
        (tree(good(), diverging=0.02), "look", "divergences"),
        (tree(good(), diverging=0.2), "do not trust", "divergences"),
        (tree(good(), partial=1), "look", "interrupted"),
    ],
)
def test_condemns(fit, bad, verdict, words):
    d = diagnose(bad, fit=fit)
    assert d.verdict == verdict and words in str(d)


def test_perfect_convergence_does_not_hide_a_wrong_place(fit):
    """Chains that agree far from the data: every check of ArviZ is passed, the verdict is not."""
    d = diagnose(tree(good() + 6.0), fit=fit)
    ok = d.table.set_index("check")["ok"]
    assert ok[["R-hat", "ESS bulk", "ESS tail", "MCSE / sd"]].all() and not ok["typicality of z"]
    assert d.verdict == "do not trust"


def test_says_when_typicality_was_not_checked():
    d = diagnose(tree(good()))
    assert d.verdict == "look" and "pass fit=" in str(d)


@pytest.mark.parametrize("count, titles", [(4, {"Traces", "Pairs"}), (8, {"Traces", "Pairs", "Predictive PIT"})])
def test_an_ordinary_posterior_needs_no_fit_and_a_pit_some_data(tmp_path, count, titles):
    plain = tree(good(), track=None, learned_sites=[])
    rng = np.random.default_rng(2)
    plain["posterior_predictive"] = dict_to_dataset({"y": rng.normal(size=(4, 500, count))})
    plain["observed_data"] = dict_to_dataset({"y": rng.normal(size=count)}, sample_dims=[])
    d = diagnose(plain)
    assert d.verdict == "trust"
    html = d.to_html(tmp_path / "d.html").read_text()
    assert "R-hat" in html and set(re.findall(r"<figcaption><b>(.+?)\.</b>", html)) == titles


def test_a_tree_without_draws():
    with pytest.raises(DataError, match="at least 4 draws"):
        diagnose(tree(good(draws=2)))

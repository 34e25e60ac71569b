"""What the proof of an array kernel says of its information, level score and denoiser, and what it refuses."""

from dataclasses import replace
from functools import cache

import pytest
import sympy as sp

import symdsm as sd
from symdsm.errors import DerivationError
from symdsm.symbolic import derive, families_coupled, proof_arrays
from symdsm.symbolic.coupled import from_coupled
from symdsm.symbolic.information import Information
from symdsm.symbolic.proof import proof
from symdsm.symbolic.proof_tex import Writer
from symdsm.symbolic.regularity import check_regularity
from tests.symbolic.test_proof import assert_is_latex

sigma, t, a = sp.symbols("sigma t a", positive=True)


@cache
def declared(name):
    if name == "vector":
        state = sp.Matrix(sp.symbols("u v", real=True))
        return sd.Kernel.from_sde(sp.Matrix([state[1], -state[0] - 2 * state[1]]), sp.diag(0, 2), state, t)._declaration
    log_density, noisy, clean, level, support = getattr(families_coupled, name)(sigma)
    return from_coupled(log_density, noisy, clean, support, level, True)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("random_walk", [r"\frac{2 n - 1}{\sigma^{2}}", r"- \frac{n}{\sigma}", r"$\Sigma$ is the covariance of $y$",
                         r"&= {y}_{j} + \sum_{p=0}^{n - 1} {\Sigma}_{j,p} {l}_{p}"]),
        ("vector", [r"(F^\top S^{-1} F)^{-1} F^\top", r"\tfrac12 u^\top \dot S u", r"\operatorname{tr} S^{-1}"]),
    ],
)  # fmt: skip
def test_information_level_score_and_denoiser_are_printed(name, words):
    text = proof(declared(name), check_regularity(declared(name))).latex()
    assert not [each for each in words if each not in text], text
    assert_is_latex(text.replace(r"\dot ", "").replace(r"\top", ""))


def _shifted_mean(found):
    mean = found.mean
    return replace(found, mean=mean + sp.ones(*mean.shape) / 100 if isinstance(mean, sp.MatrixBase) else mean + 1)


RIGHT_LEVEL, RIGHT_TWEEDIE = derive.level_score, proof_arrays.tweedie
PLANTED = {
    "the Fisher information": (proof_arrays, "fisher_information", lambda d: Information(7 / sigma, sp.true, "")),
    "the level score": (derive, "level_score", lambda d: RIGHT_LEVEL(d) + d.level / 100),
    "the denoiser": (proof_arrays, "tweedie", lambda d: _shifted_mean(RIGHT_TWEEDIE(d))),
}


@pytest.mark.parametrize(
    ("name", "step"), [*(("random_walk", s) for s in PLANTED), *(("vector", s) for s in list(PLANTED)[1:])]
)
def test_a_planted_wrong_part_is_refused(name, step, monkeypatch):
    regularity = check_regularity(declared(name))
    monkeypatch.setattr(*PLANTED[step])
    with pytest.raises(DerivationError, match=f"'{step}', whose two sides are"):
        proof(declared(name), regularity)


def test_the_matrix_of_a_low_rank_normal_is_named_once():
    log_density = declared("multivariate_normal_low_rank").log_density
    lines, parts = Writer({}).broken(log_density)
    assert [left for left, _ in parts] == [r"\left(M_{1}\right)_{a, b}", "u_{2}"]
    assert r"\log\det M_{1}" in " ".join(lines) and r"M_{1}^{-1}" in " ".join(lines) and "mapsto" not in " ".join(lines)

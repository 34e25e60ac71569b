"""The written proof for kernels of several coordinates with randomness of their own."""

import pytest
import sympy as sp
import sympy.stats as ss

import symdsm as sd
from symdsm.errors import DerivationError
from symdsm.symbolic import derive, proof_joint
from symdsm.symbolic.proof import proof
from symdsm.symbolic.regularity import check_regularity
from tests.latex import assert_compiles
from tests.symbolic.test_proof import assert_is_latex

x, x1, x2, r = sp.symbols("x x1 x2 r", real=True)
p, s, nu = sp.symbols("p s nu", positive=True)
A, B = ss.Normal("A", 0, 1), ss.Normal("B", 0, 1)
PAIR = sp.Matrix([x1, x2])


def declared(*rows, clean=PAIR, level=None):
    return sd.Kernel.from_random(sp.Matrix(rows), clean=clean, level=level)._declaration


def triangular():
    return declared(x1 + s * A, x2 + r * A + s * B, level=s)


def written(declaration):
    return proof(declaration, check_regularity(declaration))


def test_a_triangular_normal_has_each_section(tmp_path):
    text = written(triangular()).latex()
    for formula in (
        r"\partial_{y_{2}} \log p(y \mid x) &= - \frac{y_{2} - \frac{r \left(y_{1} - x_{1}\right)}{s} - x_{2}}{s^{2}}",
        r"\frac{\frac{r^{2}}{s^{2}} + 2}{s^{2}}",
        r"\mathbb{E}\bigl[x_{1} \mid y\bigr] &= y_{1} + l_{y1} s^{2} + l_{y2} r s",
        r"t_{2}(x, e) &= - \frac{e_{2}}{s}",
        r"\partial_{s} \log p(y \mid x) &=",
        r"\square",
    ):
        assert formula in text, formula
    assert_is_latex(text)
    assert_compiles(text, tmp_path)


@pytest.mark.parametrize(
    ("rows", "clean", "proven"),
    [
        ((p * ss.Gamma("g", 3, 1), x1 + s * A), sp.Matrix([p, x1]), True),
        ((x + A, x**2 + s * ss.Laplace("q", 0, 1)), x, True),
        ((x1 + A, x2 + ss.Exponential("q", 1)), PAIR, False),
    ],
)
def test_other_laws(rows, clean, proven):
    document = written(declared(*rows, clean=clean))
    text = document.latex()
    assert document.proven is proven
    assert (r"\square" in text) is proven and "The Fisher information" not in text
    assert_is_latex(text)


RIGHT_SCORE, RIGHT_TARGETS, RIGHT_LEVEL = derive.score, proof_joint.joint_targets, derive.level_score
PLANTED = {
    "p grad log p = grad p": (derive, "score", lambda d: RIGHT_SCORE(d) * sp.Rational(1001, 1000)),
    "the level score": (derive, "level_score", lambda d: RIGHT_LEVEL(d) + s / 100),
    "the target in the noise": (proof_joint, "joint_targets", lambda d: ([-t for t in RIGHT_TARGETS(d)[0]], None)),
}


@pytest.mark.parametrize("step", PLANTED)
def test_a_planted_wrong_part_is_refused(step, monkeypatch):
    regularity = check_regularity(triangular())
    monkeypatch.setattr(*PLANTED[step])
    with pytest.raises(DerivationError, match=f"'{step}', whose two sides are"):
        proof(triangular(), regularity)

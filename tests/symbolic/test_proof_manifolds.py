"""The written proof for kernels on the simplex and the sphere."""

import numpy as np
import pytest
import sympy as sp

from symdsm.errors import DerivationError
from symdsm.symbolic import derive, families_manifolds, proof_arrays
from symdsm.symbolic.coupled import from_coupled
from symdsm.symbolic.information import Information
from symdsm.symbolic.manifolds import Simplex, Sphere
from symdsm.symbolic.proof import proof
from symdsm.symbolic.proof_manifolds import ManifoldSubject
from symdsm.symbolic.proof_tex import Writer
from symdsm.symbolic.regularity import check_regularity
from tests.symbolic.test_proof import assert_is_latex

kappa = sp.Symbol("kappa", positive=True)
y, x = sp.IndexedBase("y", real=True), sp.IndexedBase("x", positive=True)
i, n = sp.Symbol("i", integer=True), sp.Symbol("n", integer=True, positive=True)


def family(name):
    log_density, noisy, clean, level, support = getattr(families_manifolds, name)(kappa)
    return from_coupled(log_density, noisy, clean, support, level, True)


def written(declaration):
    return proof(declaration, check_regularity(declaration))


@pytest.mark.parametrize(
    ("name", "words", "absent"),
    [
        (
            "dirichlet",
            [r"(I - \tfrac1n 1 1^\top)", r"\int p(y \mid x)\, dy &= 1.", r"\digamma", "for x adding to one",
             r"\mathbb{E}\bigl[{x}_{j} \mid y\bigr] &= \frac{\left(\kappa - n + {l}_{j}", r"I(x)"],
            [],
        ),
        (
            "von_mises_fisher",
            [r"(I - y y^\top)", "surface measure", r"&= \kappa {x}_{j} - {y}_{j} \sum_{i=0}^{n - 1}",
             "gives no denoiser", r"(n - 1)\, \mathbb{E}[y \mid x]", r"I(x)"],
            [],
        ),
        ("logistic_normal", ["vanishes at the facets", r"\mid x\bigr] &= 0", "up to a multiple"], ["The Fisher"]),
    ],
)  # fmt: skip
def test_what_the_proof_on_a_manifold_says(name, words, absent):
    document = written(family(name))
    text = document.latex()
    assert document.proven
    assert not [each for each in words if each not in text], text
    assert not [each for each in absent if each in text]
    assert text.index(r"\tag{4}") < text.index("does not move with x") < text.index(r"\square")
    assert_is_latex(text)


def test_an_unknown_law_on_the_sphere_is_proven_without_a_constant():
    bingham = from_coupled(kappa * sp.Sum(x[i] * y[i], (i, 0, n - 1)) ** 2, y, x, Sphere(), None, True)
    text = written(bingham).latex()
    assert "Its constant factor is not claimed" in text and "The Fisher" not in text and r"\square" in text


def test_an_undecided_density_on_the_simplex_is_not_proven():
    terms = sp.Sum(-kappa * sp.Abs(y[i] - x[i]), (i, 0, n - 1))
    document = written(from_coupled(terms, y, x, Simplex(), None, True))
    assert not document.proven and "nothing is claimed" in document.latex()


def test_differences_stay_on_the_manifold():
    for name in ("dirichlet", "von_mises_fisher"):
        subject = ManifoldSubject(family(name), Writer({}))
        for noisy, _, _ in subject.places:
            size = np.sum if name == "dirichlet" else np.linalg.norm
            for _, curve in subject.curves(noisy):
                assert size(curve(0.002)) == pytest.approx(1, abs=1e-12)


RIGHT_SCORE = derive.score
PLANTED = {
    "a part off the tangent space": lambda d: RIGHT_SCORE(d) + y[sp.Symbol("j", integer=True)],
    "a scale": lambda d: RIGHT_SCORE(d) * sp.Rational(1001, 1000),
}


@pytest.mark.parametrize("name", ["dirichlet", "von_mises_fisher"])
@pytest.mark.parametrize("planted", PLANTED)
def test_a_planted_wrong_tangent_score_is_refused(name, planted, monkeypatch):
    declaration = family(name)
    regularity = check_regularity(declaration)
    monkeypatch.setattr(derive, "score", PLANTED[planted])
    with pytest.raises(DerivationError, match="whose two sides are"):
        proof(declaration, regularity)


def test_a_planted_wrong_information_and_level_score_are_refused(monkeypatch):
    declaration = family("von_mises_fisher")
    regularity = check_regularity(declaration)
    with monkeypatch.context() as patch:
        patch.setattr(proof_arrays, "fisher_information", lambda d: Information(kappa, sp.true, "planted"))
        with pytest.raises(DerivationError, match="the Fisher information"):
            proof(declaration, regularity)
    right = derive.level_score
    monkeypatch.setattr(derive, "level_score", lambda d: right(d) + kappa / 100)
    with pytest.raises(DerivationError, match="the level score"):
        proof(declaration, regularity)

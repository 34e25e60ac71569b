"""The written proof: what it says for each kind of kernel, and that nothing wrong can be printed."""

import re
from functools import cache

import pytest
import sympy as sp
import sympy.stats as st

from symdsm.errors import DerivationError, ParameterError
from symdsm.symbolic import derive, families, families_coupled, families_sde, proof_objective, proof_scalar
from symdsm.symbolic.circular import from_circular_density
from symdsm.symbolic.constructors import change, from_density, from_random, from_sde, mixture
from symdsm.symbolic.coupled import from_coupled
from symdsm.symbolic.findings import Finding, Regularity
from symdsm.symbolic.information import Information
from symdsm.symbolic.product import product
from symdsm.symbolic.proof import proof
from symdsm.symbolic.regularity import check_regularity
from tests.latex import assert_compiles

x, y = sp.symbols("x y", real=True)
positive = sp.Symbol("x", positive=True)
s, a, w, kappa = sp.symbols("s a w kappa", positive=True)


def written(declaration):
    return proof(declaration, check_regularity(declaration))


@cache
def document_of(name):
    return written(KERNELS[name]())


def normal():
    return from_random(st.Normal("y", x, s), x, s)


def von_mises():
    return from_circular_density(kappa * sp.cos(y - x), y, x, None, kappa, True, 2 * sp.pi)


def coupled(declare):
    log_density, noisy, clean, level, support = declare(sp.Symbol("sigma", positive=True))
    return from_coupled(log_density, noisy, clean, support, level, True)


def four_parameter_kappa():
    z, h, k = (y - x) / s, a, kappa
    log_f = (1 / k - 1) * sp.log(1 - k * z) + (1 / h - 1) * sp.log(1 - h * (1 - k * z) ** (1 / k))
    return from_density(log_f - sp.log(s), y, x, sp.Interval.open(x + s * (1 - h**-k) / k, x + s / k), None, True)


KERNELS = {
    "laplace": families.laplace,
    "speckle": families.speckle,
    "log speckle": lambda: change(families.speckle(), sp.log),
    "von Mises": von_mises,
    "Rayleigh": lambda: from_random(positive * st.Rayleigh("e", 1), positive),
    "unnormalised": lambda: from_density(-a * (y - x) ** 4 - sp.cosh(y - x), y, x, log=True),
    "additive gamma": lambda: from_random(x + st.Gamma("e", a, 1), x),
    "mixture": lambda: mixture(((normal(), 1 / (1 + w)), (from_random(st.Laplace("y", x, s), x, s), w / (1 + w)))),
    "product": lambda: product({"speed": families.laplace(), "the_angle": families.gaussian()}, ()),
    "four-parameter kappa": four_parameter_kappa,
    "logit-normal": families.logit_normal,
    "sub-VP": lambda: from_sde(*families_sde.sub_vp()),
    "VE": lambda: from_sde(*families_sde.ve()),
    "low rank": lambda: coupled(families_coupled.multivariate_normal_low_rank),
    "precision": lambda: coupled(families_coupled.multivariate_normal_precision),
    "random walk": lambda: coupled(families_coupled.random_walk),
}


@pytest.fixture(scope="module")
def gaussian():
    return written(families.gaussian())


def test_the_gaussian_ends_as_the_note_does(gaussian):
    ending = gaussian.latex().split(r"\section{The objective in the noise}")[1]
    last = re.findall(r"\\begin\{align\*\}(.*?)\\end\{align\*\}", ending, flags=re.S)[-1]
    assert "".join(last.split()) == "".join(
        r"""J_{\mathrm{DSM}}(\psi) &= \mathbb{E}_{x \sim p}\, \mathbb{E}_{z \sim f}\, \tfrac12
        \left\|\psi\left(x + \sigma z\right) + \frac{z}{\sigma}\right\|^2.""".split()
    )


def test_the_gaussian_has_each_line_of_the_seed_note_and_its_formulae(gaussian):
    text = gaussian.latex()
    assert gaussian.proven
    for formula in (
        r"\partial_{y} \log p(y \mid x) &= \frac{x - y}{\sigma^{2}}",
        r"q(y) &= \int p(x)\, p(y \mid x)\, dx",
        r"\mid x\bigr] &= \frac{1}{\sigma^{2}}",
        r"\partial_{y} \log p(y \mid x) &= - \frac{z}{\sigma}",
        r"\tfrac12 \mathbb{E}_{y \sim q} \|\nabla \log q(y)\|^2 - \tfrac12 \mathbb{E}_{x} I(x)",
        "does not move with x (proven)",
    ):
        assert formula in text, formula
    assert [int(n) for n in re.findall(r"\\tag\{(\d)\}", text)] == [1, 2, 3, 4, 5, 6, 7]
    assert text.index(r"\tag{4}") < text.index("does not move with x") < text.index("square")


COMMANDS = set(
    "documentclass usepackage allowdisplaybreaks emergencystretch "
    "title author date begin end maketitle section item quad tag left "
    "right bigl bigr frac tfrac sqrt log exp sin cos sinh cosh tanh operatorname mathrm mathbb mathcal int iint sum "
    "prod langle rangle sim mid nabla partial infty le leq geq neq wedge vee in top textstyle substack text det mapsto "
    "square Gamma digamma textbackslash textasciitilde textasciicircum psi varphi bar sigma kappa nu pi lambda "
    "varepsilon beta gamma alpha ldots Sigma dot".split()
)


def assert_is_latex(text):
    """ASCII, commands of LaTeX, amsmath and amssymb only; braces, environments and dollar signs in balance."""
    assert text.isascii()
    unknown = set(re.findall(r"\\([A-Za-z]+)", text)) - COMMANDS
    assert not unknown, unknown
    opened = []
    for kind, name in re.findall(r"\\(begin|end)\{([a-z*]+)\}", text):
        if kind == "begin":
            opened.append(name)
        else:
            assert opened.pop() == name
    assert not opened
    depth = 0
    for brace in re.findall(r"(?<!\\)[{}]", text):
        depth += 1 if brace == "{" else -1
        assert depth >= 0
    assert depth == 0
    assert len(re.findall(r"(?<!\\)\$", text)) % 2 == 0
    for block in re.findall(r"\\begin\{align\*\}(.*?)\\end\{align\*\}", text, flags=re.S):
        assert "$" not in block and "\n\n" not in block
        for line in re.sub(r"\\begin\{cases\}.*?\\end\{cases\}", "", block, flags=re.S).split("\\\\\n"):
            assert len(re.findall(r"(?<!\\)&", line)) == 1, line
            assert line.count(r"\left") == line.count(r"\right"), line
    outside = re.sub(r"\\begin\{align\*\}.*?\\end\{align\*\}|\$[^$]*\$", "", text, flags=re.S)
    body = outside.split(r"\maketitle")[1]
    assert not re.search(r"(?<!\\)[_^&#%]", body)


CHEAP = ("random walk",)


@pytest.mark.parametrize(
    "name", [name if name in CHEAP else pytest.param(name, marks=pytest.mark.slow) for name in KERNELS]
)
def test_each_kind_of_kernel_has_a_document_that_latex_reads(name):
    document = document_of(name)
    assert document.proven
    assert_is_latex(document.latex())
    assert document.markdown().count("$$") % 2 == 0
    assert document.markdown().startswith("# Denoising score matching")


@pytest.mark.parametrize(
    "name", [name if name in CHEAP else pytest.param(name, marks=pytest.mark.slow) for name in KERNELS]
)
def test_a_stock_latex_compiles_it(name, tmp_path):
    assert_compiles(document_of(name).latex(), tmp_path)


def test_the_compiler_notices_a_wrong_document(tmp_path):
    text = document_of("random walk").latex()
    for wrong in (text.replace(r"\end{align*}", "", 1), text.replace(r"\section{", r"\section{" + "x" * 400, 1)):
        with pytest.raises(AssertionError):
            assert_compiles(wrong, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Rayleigh", [r"is infinite for this kernel", r"no finite variance"]),
        ("additive gamma", [r"the density vanishes there iff a $>$ 1 (holds if: $a > 1$)", r"a = 1 \vee a > 2"]),
        ("unnormalised", ["Its constant factor is not known", "so the objective stands in the noisy value itself"]),
        ("product", ["Block the angle: the proof", r"the\_angle (2)", r"y_{2}", "both objectives and $C$ add up"]),
        ("mixture", [r"w_{2} &= \frac{w}{w + 1}", "not the score of the part"]),
        ("precision", [r"\log\det P", r"\partial_{y_{j}} \log p(y \mid x) &= \sum_{i=0}^{n - 1}"]),
        ("log speckle", [r"\partial_{u} \log p(u \mid x) &= L - r"]),
    ],
)
def test_what_a_proof_says(name, words):
    text = document_of(name).latex()
    assert not [each for each in words if each not in text], text


def test_a_kernel_that_fails_is_not_proven():
    document = written(from_random(x + st.Exponential("e", a), x))
    text = document.latex()
    assert not document.proven
    assert r"\tag{3}" in text and r"\tag{4}" not in text and r"\square" not in text
    assert "The edge x moves with x and the density does not vanish there (fails)" in text
    assert "The proof stops here" in text and "The objective" not in text
    inner, outer = (float(v) for v in re.search(r"left side is \$(.*?)\$ and the right side \$(.*?)\$", text).groups())
    assert abs(inner - outer) > 0.1  # the edge's own contribution
    assert_is_latex(text)


def test_an_undecided_kernel_is_not_proven():
    open_row = Finding("edges", "unknown", None, "the support {y} is not an interval, 50% of x_1 & y")
    regularity = Regularity((open_row,), x, None, (s,))
    document = proof(normal(), regularity)
    assert not document.proven
    assert "The proof stops here: nothing is claimed" in document.latex()
    assert_is_latex(document.latex())


@pytest.mark.slow
def test_symbols_that_the_text_uses_are_left_to_the_user():
    psi, q = sp.symbols("psi q", positive=True)
    text = written(from_random(st.Normal("y", x, psi * q), x)).latex()
    assert r"J_{\mathrm{DSM}}(\varphi)" in text and r"\bar{p}(y) &=" in text


def _wrong_score(declaration):
    return RIGHT_SCORE(declaration) * sp.Rational(1001, 1000)


def _wrong_targets(declaration):
    score, level = RIGHT_TARGETS(declaration)
    return -score, level


RIGHT_SCORE, RIGHT_TARGETS, RIGHT_LEVEL = derive.score, derive.noise_targets, derive.level_score
PLANTED = {
    "the score": ("score", _wrong_score),
    "the target in the noise": ("noise_targets", _wrong_targets),
    "the level score": ("level_score", lambda d: RIGHT_LEVEL(d) + sp.Rational(1, 100)),
}


@pytest.mark.parametrize("step", ["the score", *(pytest.param(p, marks=pytest.mark.slow) for p in list(PLANTED)[1:])])
def test_a_planted_wrong_derivative_is_refused(step, monkeypatch):
    declaration = families.laplace()
    regularity = check_regularity(declaration)
    name, wrong = PLANTED[step]
    monkeypatch.setattr(derive, name, wrong)
    with pytest.raises(DerivationError, match="whose two sides are"):
        proof(declaration, regularity)


@pytest.mark.slow
def test_a_planted_wrong_information_is_refused(monkeypatch):
    declaration = families.laplace()
    regularity = check_regularity(declaration)
    sigma = declaration.level
    monkeypatch.setattr(proof_scalar, "fisher_information", lambda d: Information(2 / sigma**2, sp.true, "planted"))
    with pytest.raises(DerivationError, match="the Fisher information"):
        proof(declaration, regularity)


def test_a_planted_validity_is_refused_at_the_swap():
    declaration = from_random(x + st.Exponential("e", a), x)
    rows = [Finding(row, "proven", sp.true, "planted") for row in ("edges", "jumps", "variance")]
    with pytest.raises(DerivationError, match="gradient and integral are swapped"):
        proof(declaration, Regularity(tuple(rows), x, None, (a,)))


@pytest.mark.slow
def test_a_planted_wrong_line_is_refused(monkeypatch):
    declaration = families.laplace()
    regularity = check_regularity(declaration)
    monkeypatch.setattr(proof_objective.ScalarSubject, "quotient", lambda self: [(1.0, 1.0 + 1e-3)])
    with pytest.raises(DerivationError, match="the definition of q"):
        proof(declaration, regularity)


def test_a_planted_wrong_coupled_score_is_refused(monkeypatch):
    declaration = coupled(families_coupled.random_walk)
    monkeypatch.setattr(derive, "score", lambda d: -RIGHT_SCORE(d))
    with pytest.raises(DerivationError, match="whose two sides are"):
        proof(declaration, check_regularity(declaration))


def test_what_cannot_be_written(gaussian):
    with pytest.raises(ParameterError, match='"latex" or "markdown"'):
        gaussian.text("pdf")

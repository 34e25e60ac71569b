"""The conditions of denoising score matching on labelled kernels (tests/symbolic/labels.py).

Two judges who know nothing of each other: the checker, and integrals (tests/oracles/validity.py). A wrong label of any
kind is noticed by both.
"""

import itertools
from dataclasses import replace

import pytest
import sympy as sp
import sympy.stats as st

import symdsm as sd
from symdsm.errors import DeclarationError
from symdsm.symbolic import families_sde, integrable, regularity
from symdsm.symbolic.constructors import from_density, from_random, from_sde
from symdsm.symbolic.regularity import check_regularity
from tests.oracles.validity import gap, law_of, second_moment_is_finite
from tests.symbolic.labels import LABELS, NO, YES, L, Label, a, e, random, s, x, xp, y

FAST = {
    "gaussian", "laplace, a kink", "student t", "huber", "uniform", "shifted exponential", "additive gamma",
    "semicircle", "moving step", "fixed step", "pole at x", "double gamma", "speckle", "rayleigh", "log-laplace",
    "rayleigh in logarithms", "tilted uniform", "von Mises", "step on the circle", "mixture with a uniform",
    "two exponentials back to back", "cube of a normal", "gamma below x",
}  # fmt: skip
NAMES = [pytest.param(name, marks=[] if name in FAST else [pytest.mark.slow]) for name in LABELS]
_TRIED = [sp.Rational(n, 12) for n in (2, 4, 5, 6, 10, 12, 13, 18, 24, 25, 36, 72)]


def same(found, label) -> bool:
    """Equal as conditions: the same truth at every choice of parameters on a grid with the exceptional values."""
    if found is None:
        return False
    symbols = sorted(found.free_symbols | label.free_symbols, key=str)
    grid = (dict(zip(symbols, values, strict=True)) for values in itertools.product(_TRIED, repeat=len(symbols)))
    return all(found.subs(put) == label.subs(put) for put in grid)


def disagrees_with_checker(label: Label) -> bool:
    found = check_regularity(label.declare())
    return not (same(found.identity_holds, label.identity) and same(found.holds, label.holds))


def disagrees_with_integrals(label: Label) -> bool:
    declaration = label.declare()
    for values in label.at:
        put = {p: sp.nsimplify(values[p.name], rational=True) for p in (declaration.clean, *declaration.params)}
        identity, holds = (bool(condition.subs(put)) for condition in (label.identity, label.holds))
        law = law_of(declaration, values)
        miss = gap(law, label.data, lambda value, v=values: label.inner(v | {"x": value}))
        if (miss < 1e-3) != identity or not identity and miss < 0.05:
            return True
        if identity and second_moment_is_finite(law, values["x"], label.inner(values)) is not holds:
            return True
    return False


def test_there_are_many_labels_of_every_kind():
    identities, variances = [[getattr(v, f) for v in LABELS.values()] for f in ("identity", "holds")]
    assert len(LABELS) >= 130 and set(FAST) <= set(LABELS)
    assert min(identities.count(YES), identities.count(NO), variances.count(YES), variances.count(NO)) >= 20


@pytest.mark.parametrize("name", NAMES)
def test_the_checker_says_what_the_label_says(name):
    assert not disagrees_with_checker(LABELS[name])


@pytest.mark.parametrize("name", NAMES)
def test_integrals_say_what_the_label_says(name):
    assert not disagrees_with_integrals(LABELS[name])


PLANTED = {
    "valid said to fail": LABELS["gaussian"]._replace(identity=NO, holds=NO),
    "moving edge said to be fine": LABELS["uniform"]._replace(identity=YES, holds=YES),
    "moving pole said to be fine": LABELS["pole at x"]._replace(identity=YES, holds=YES),
    "infinite said to be finite": LABELS["rayleigh"]._replace(holds=YES),
    "finite said to be infinite": LABELS["laplace, a kink"]._replace(holds=NO),
    "condition too weak": LABELS["speckle"]._replace(holds=(L > 1)),
    "condition on the edge too strong": LABELS["additive gamma"]._replace(identity=a > 2),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_wrong_label_is_noticed(name):
    assert disagrees_with_checker(PLANTED[name])
    assert disagrees_with_integrals(PLANTED[name])


def finding(found, row):
    return next(f for f in found.findings if f.row == row)


def test_a_moving_edge_is_named():
    found = check_regularity(LABELS["shifted exponential"].declare())
    edge = finding(found, "edges")
    assert edge.verdict == "fails" and "the edge x moves with x" in edge.reason
    assert "whole line" in found.remedies[0] and "Gamma" in found.remedies[1]
    assert str(found).startswith("Is denoising score matching valid for this kernel? No.")


def test_judgement_at_numbers():
    found = check_regularity(LABELS["speckle"].declare())
    assert [found.judge(L=value).variance for value in (4.0, 2.0, 1.5, 1.0)] == [True, False, False, True]
    assert found.judge(L=1.5).identity is True and "log" in found.judge(L=1.5).remedy
    assert found.judge().variance is None


def test_the_report_is_half_a_page_in_rows():
    text = str(check_regularity(LABELS["speckle"].declare()))
    assert 10 < len(text.splitlines()) < 30 and max(map(len, text.splitlines())) < 260
    for words in ("Yes if", "holds if: E score^2 is finite iff", "kernel.change(sp.log)", "proven:"):
        assert words in text


REPAIRED = ("shifted exponential", "uniform", "pareto in its scale", "rayleigh", "semicircle", "moving step",
            "speckle", "beta shape, fixed second")  # fmt: skip


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow if n[0] in "bpm" else []) for n in REPAIRED])
def test_every_remedy_that_can_be_typed_repairs(name):
    kernel = sd.Kernel(LABELS[name].declare())
    assert kernel.check().holds is not YES and kernel.check().remedies
    typed = [remedy for remedy in kernel.check().remedies if remedy.code]
    assert typed
    for remedy in typed:
        room = {"kernel": kernel, "sd": sd, "sp": sp, "st": st}
        exec(remedy.code, room)
        assert room["repaired"].check().holds == YES, remedy


MEANS = {
    "gaussian": sp.S.Zero,
    "speckle": sp.Piecewise((-1 / xp, sp.Eq(L, 1)), (0, True)),
    "folded normal": -sp.sqrt(2 / sp.pi) / xp,
    "half-line from x": -1 / s,
    "uniform": sp.S.Zero,
    "truncated normal at a fixed edge": None,
    "two exponentials back to back": sp.S.Zero,
    "pole at x": None,
}


@pytest.mark.parametrize("name", MEANS)
def test_mean_of_the_score_comes_from_the_edges(name):
    found = check_regularity(LABELS[name].declare()).mean_score
    if name == "truncated normal at a fixed edge":
        at = {x: 0.4, s: 0.7}
        density = sp.stats.density(st.Normal("z", 0.4, 0.7))(0) / sp.stats.P(st.Normal("z", 0.4, 0.7) > 0)
        assert abs(found.subs(at).evalf() + density.evalf()) < 1e-12
    else:
        assert found == MEANS[name] or sp.simplify(found - MEANS[name]) == 0


def test_a_wrong_mean_is_not_given(monkeypatch):
    from symdsm.symbolic import regularity_asides

    monkeypatch.setattr(regularity_asides, "_edge_value", lambda lead: (sp.S.One, sp.true))
    monkeypatch.setattr(regularity_asides, "_signed_approaches", lambda view: [[(1, view.ends[1].approaches[0])]])
    found = check_regularity(LABELS["gaussian"].declare())
    assert found.mean_score is None and "disagreed with quadrature" in finding(found, "mean").reason


# For a level the support must not move with it, and the score in it must have a second moment.
LEVELS = {
    "gaussian": (random(x + s * e, x, s), YES),
    "laplace": (random(x + s * st.Laplace("z", 0, 1), x, s), YES),
    "gumbel": (random(x + s * st.Gumbel("z", 1, 0), x, s), YES),
    "log-normal": (random(xp * sp.exp(s * e), xp, s), YES),
    "speckle in its looks": (random(xp * st.Gamma("g", L, 1 / L), xp, L), YES),
    "uniform": (random(x + st.Uniform("z", -s, s), x, s), NO),
    "semicircle": (random(x + s * st.WignerSemicircle("z", 1), x, s), NO),
    "biweight": (
        lambda: from_density(3 * sp.log(1 - ((y - x) / s) ** 2), y, x, sp.Interval.open(x - s, x + s), s, True), YES
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LEVELS)
def test_level_score(name):
    declare, holds = LEVELS[name]
    assert check_regularity(declare()).level_holds == holds


def test_no_level_score_without_a_normaliser():
    unknown = replace(from_random(x + s * e, x, s), normalised=False)
    found = check_regularity(unknown)
    assert found.level_holds is NO and found.holds is YES
    assert "normaliser" in finding(found, "level").reason and "dsm" in str(found)


def test_a_check_without_time_is_unknown_and_says_what_was_tried(monkeypatch):
    monkeypatch.setattr(regularity, "_ROW_SECONDS", 1e-4)
    found = check_regularity(LABELS["speckle"].declare())
    assert found.holds is None and "Undecided" in str(found)
    assert "0.0001 s" in finding(found, "variance").reason and "limits" in finding(found, "variance").reason


def test_a_parameter_without_assumptions_is_named():
    bare = sp.Symbol("b", real=True)
    found = check_regularity(from_random(x + st.Gamma("z", 1 + bare**2, 1), x))
    assert found.identity_holds is not None
    undecided = check_regularity(from_density(-(sp.Abs(y - x) ** bare), y, x, log=True))
    assert undecided.holds is None
    assert 'b = sp.Symbol("b", positive=True)' in str(undecided) and "b > 1/2" in str(undecided)


def test_shrinking_noise_and_the_boundary_term_stand_apart():
    found = check_regularity(from_random(x + s * st.Exponential("z", 1), x, s))
    assert found.identity_holds is NO and finding(found, "shrinks").when is YES
    truncated = check_regularity(LABELS["truncated normal at a fixed edge"].declare())
    assert truncated.holds is YES and finding(truncated, "boundary").when is NO
    fixed_shape = check_regularity(from_density(-((y - x) ** 2) - s * (y - x) ** 4, y, x, None, s, True))
    assert finding(fixed_shape, "shrinks").when in (YES, NO)


def test_an_undecided_exception_is_named(monkeypatch):
    """Speckle is finite at L = 1 beside L > 2; where that value cannot be decided the report says so."""
    known = integrable.exponents

    def undecided_at_the_root(measure, field, *rest):
        return known(measure, field, *rest) if L in measure.free_symbols or L in field.free_symbols else None

    monkeypatch.setattr(integrable, "exponents", undecided_at_the_root)
    found = finding(check_regularity(LABELS["speckle"].declare()), "variance")
    assert found.when == (L > 2) and "at Eq(L, 1) is undecided" in found.reason


def test_the_variance_exploding_kernel_is_a_law_under_a_condition():
    least, most = sp.symbols("sigma_min sigma_max", positive=True)
    found = check_regularity(from_sde(*families_sde.ve()))
    assert found.identity_holds == found.holds == found.level_holds == (most > least)
    assert found.judge(sigma_min=0.1, sigma_max=5.0).identity is True
    assert found.judge(sigma_min=5.0, sigma_max=0.1).identity is False
    for sde in (families_sde.vp(), families_sde.ou()):
        assert check_regularity(from_sde(*sde)).holds is YES


def test_a_scale_whose_centre_is_an_edge_is_not_said_to_keep_its_size():
    """Levy noise shrinks with its scale, but its density is zero at the clean value, whatever the scale."""
    for away, support in ((y - x, sp.Interval.open(x, sp.oo)), (x - y, sp.Interval.open(-sp.oo, x))):
        density = sp.sqrt(s / (2 * sp.pi)) * sp.exp(-s / (2 * away)) / away ** sp.Rational(3, 2)
        found = check_regularity(from_density(density, y, x, support, s))
        shrinks = finding(found, "shrinks")
        assert found.identity_holds is YES and (shrinks.when, shrinks.verdict) == (YES, "proven")
        assert "y = s*u + x with one law of u for every s: y -> x as s -> 0" in shrinks.reason


def test_counts_are_refused_with_a_continuous_stand_in():
    with pytest.raises(DeclarationError, match="Normal"):
        from_random(st.Poisson("y", xp), xp)


@pytest.mark.parametrize("family", ["logit_normal", "skew_normal", "wrapped_cauchy"])
def test_ready_families_are_decided_row_by_row(family):
    found = getattr(sd.families, family)().check()
    assert found.holds == YES and found.level_holds == YES and found.mean_score == 0

r"""The two pieces of every linear flow: exp(A tau) and integrals of exponential polynomials.

A constant matrix has modes: exp(A tau) = sum_j tau^(k_j) exp(lam_j tau) C_j. With m the mean of the
diagonal, N = A - m I,

    n = 1:          C = 1, lam = A
    n = 2:          C = (I + N/w)/2, (I - N/w)/2, lam = m + w, m - w, w^2 = -det N
    n = 2, w = 0:   C = I, N, lam = m, k = 0, 1: critical damping
    n > 2:          C_k = d^(p-1-k)/ds^(p-1-k) [(s - lam)^p adj(s I - A)/det(s I - A)] / (k! (p-1-k)!)
                    at s = lam, an eigenvalue of multiplicity p

for larger blocks, after the components that do not talk to each other are split. Complex modes come in
conjugate pairs, so the sum is the sum of their real parts: oscillation. The integrals are

    int_0^tau c r^k exp(lam r) dr = c k! / (-lam)^(k+1) P(k+1, -lam tau),   P(1, u) = 1 - exp(-u)

with P the regularised lower incomplete gamma function, which keeps its digits near tau = 0, where the
written-out form subtracts nearly equal numbers. Sources: Golub and Van Loan, Matrix Computations, section
9.1; Horn and Johnson, Topics in Matrix Analysis, section 6.2; NIST DLMF 8.2, 8.4.
"""

from collections.abc import Callable

import sympy as sp

from symdsm.symbolic.budget import OutOfTime, bounded
from symdsm.symbolic.moments import probe
from symdsm.symbolic.nodes_elementary import Expm1
from symdsm.symbolic.nodes_incomplete import ErlangCdf

__all__ = ["Modes", "NoClosedForm", "accumulate", "integral", "is_zero", "modes", "spread_of", "value"]

SECONDS = 2.0
LONG = 60

Modes = dict[tuple[int, sp.Expr], sp.Matrix]


class NoClosedForm(Exception):
    """SymPy has no closed form, or not within its budget."""


def is_zero(expr: sp.Expr) -> bool:
    """Is the expression zero as a formula? Undecided counts as no."""
    if expr.is_zero is not None:
        return expr.is_zero
    here = probe(expr, 1)
    if here.is_number and abs(here) > 1e-20:
        return False
    try:
        return bounded(SECONDS, sp.simplify, expr) == 0
    except OutOfTime:
        return False


def modes(matrix: sp.Matrix) -> Modes:
    """{(k, lam): C} with exp(matrix tau) = sum tau^k exp(lam tau) C, for a matrix without tau.

    Raises NoClosedForm when the eigenvalues have none, or when the sign that separates oscillation from decay
    does not follow from the assumptions on the parameters.
    """
    n, total = matrix.shape[0], {}
    for block in _blocks(matrix):
        for key, part in _block_modes(matrix.extract(block, block)).items():
            embedded = sp.zeros(n, n)
            for i, row in enumerate(block):
                for j, column in enumerate(block):
                    embedded[row, column] = part[i, j]
            total[key] = total[key] + embedded if key in total else embedded
    return total


def _blocks(matrix: sp.Matrix) -> list[list[int]]:
    """The components that do not talk to each other, as index lists."""
    left, blocks = set(range(matrix.shape[0])), []
    while left:
        block, frontier = set(), {min(left)}
        while frontier:
            block |= frontier
            frontier = {j for i in frontier for j in left if matrix[i, j] != 0 or matrix[j, i] != 0} - block
        left -= block
        blocks.append(sorted(block))
    return blocks


def _block_modes(matrix: sp.Matrix) -> Modes:
    if matrix.shape == (1, 1):
        return {(0, matrix[0, 0]): sp.eye(1)}
    if matrix.shape == (2, 2):
        return _modes_2(matrix)
    try:
        return bounded(SECONDS, _modes_by_residues, matrix)
    except OutOfTime:
        raise NoClosedForm(f"the eigenvalues of a {matrix.shape} matrix took more than {SECONDS:g} s") from None


def _modes_2(matrix: sp.Matrix) -> Modes:
    m = (matrix[0, 0] + matrix[1, 1]) / 2
    half = (matrix[0, 0] - matrix[1, 1]) / 2
    square = half**2 + matrix[0, 1] * matrix[1, 0]
    identity, rest = sp.eye(2), sp.Matrix([[half, matrix[0, 1]], [matrix[1, 0], -half]])
    if is_zero(square):
        return {(0, m): identity, (1, m): rest}
    factored = sp.factor(square)
    if square.is_positive or factored.is_positive:
        w = sp.powdenest(sp.sqrt(factored))
    elif square.is_negative or factored.is_negative:
        w = sp.I * sp.powdenest(sp.sqrt(-factored))
    else:
        raise NoClosedForm(f"oscillation or decay: the sign of {square} does not follow from the assumptions")
    return {(0, m + w): (identity + rest / w) / 2, (0, m - w): (identity - rest / w) / 2}


def _modes_by_residues(matrix: sp.Matrix) -> Modes:
    n, s = matrix.shape[0], sp.Dummy("s")
    characteristic = matrix.charpoly(s)
    roots = sp.roots(characteristic)
    if sum(roots.values()) != n:
        raise NoClosedForm(f"the eigenvalues of a {n} x {n} matrix")
    adjugate, result = (s * sp.eye(n) - matrix).adjugate(), {}
    for root, p in roots.items():
        others = sp.Mul(*((s - other) ** q for other, q in roots.items() if other != root))
        part = adjugate / others
        for k in range(p - 1, -1, -1):
            result[k, root] = part.subs(s, root).applyfunc(sp.radsimp) / (sp.factorial(k) * sp.factorial(p - 1 - k))
            part = part.diff(s)
    return result


def value(flow: Modes, tau: sp.Expr) -> sp.Matrix:
    """exp(A tau) from the modes of A, real."""
    return _sum(flow, lambda c, k, rate: tau**k * _real_exponential(c, rate, tau))


def _sum(flow: Modes, term: Callable) -> sp.Matrix:
    shape = next(iter(flow.values())).shape
    parts = (c.applyfunc(lambda e, k=k, rate=rate: term(e, k, rate) if e != 0 else e) for (k, rate), c in flow.items())
    return sum(parts, sp.zeros(*shape))


def _real_exponential(c: sp.Expr, rate: sp.Expr, tau: sp.Expr) -> sp.Expr:
    """Re c exp(rate tau)."""
    if not (rate.has(sp.I) or c.has(sp.I)):
        return c * sp.exp(rate * tau)
    (p, q), (a, b) = c.as_real_imag(), rate.as_real_imag()
    return sp.exp(a * tau) * (p * sp.cos(b * tau) - q * sp.sin(b * tau))


def accumulate(flow: Modes, source: sp.Matrix, r: sp.Symbol, tau: sp.Expr) -> sp.Matrix:
    """int_0^tau exp(A r) source(r) dr, shape of `source`."""
    return _integrated([((k, rate), c, None) for (k, rate), c in flow.items()], source, r, tau)


def spread_of(flow: Modes, source: sp.Matrix, r: sp.Symbol, tau: sp.Expr) -> sp.Matrix:
    """int_0^tau exp(A r) source(r) exp(A r)^T dr, symmetric for a symmetric source."""
    pairs = [
        ((k + j, sp.expand(a + b)), left, right.T) for (k, a), left in flow.items() for (j, b), right in flow.items()
    ]
    total = _integrated(pairs, source, r, tau)
    return sp.Matrix(*total.shape, lambda i, j: total[min(i, j), max(i, j)])


def _integrated(sides: list, source: sp.Matrix, r: sp.Symbol, tau: sp.Expr) -> sp.Matrix:
    merged: Modes = {}
    for (j, growth), inner in _source_modes(source, r).items():
        for (k, rate), left, right in sides:
            key = (k + j, sp.expand(rate + growth))
            part = left * inner if right is None else left * inner * right
            merged[key] = merged[key] + part if key in merged else part
    merged = {key: part.applyfunc(_reduced) for key, part in merged.items()}
    return _sum(merged, lambda c, k, rate: _moment(c, k, rate, tau))


def _reduced(entry: sp.Expr) -> sp.Expr:
    if entry.is_number:
        return sp.radsimp(sp.expand(entry))
    if sp.count_ops(entry) > LONG:
        return entry
    shorter = sp.factor_terms(sp.expand(entry))
    return min((entry, shorter), key=sp.count_ops)


def _source_modes(source: sp.Matrix, r: sp.Symbol) -> Modes:
    """{(k, lam): matrix} with source = sum r^k exp(lam r) matrix."""
    if not source.has(r):
        return {(0, sp.S.Zero): source}
    found: Modes = {}
    for i in range(source.shape[0]):
        for j in range(source.shape[1]):
            for term in sp.Add.make_args(sp.expand(_in_exponentials(source[i, j], r), power_exp=False)):
                c, k, rate = _exponential_monomial(term, r)
                found.setdefault((k, rate), sp.zeros(*source.shape))[i, j] += c
    return found


def _in_exponentials(expr: sp.Expr, r: sp.Symbol) -> sp.Expr:
    """b**(c r) becomes exp(c r log b)."""
    return expr.replace(
        lambda e: e.is_Pow and e.exp.has(r) and not e.base.has(r) and e.base is not sp.E,
        lambda e: sp.exp(sp.expand(e.exp * sp.log(e.base), log=False), evaluate=False),
    )


def _exponential_monomial(term: sp.Expr, r: sp.Symbol) -> tuple[sp.Expr, int, sp.Expr]:
    """c, k, lam with term = c r^k exp(lam r)."""
    factor, k, exponent = sp.S.One, 0, sp.S.Zero
    for part in sp.Mul.make_args(term):
        if not part.has(r):
            factor *= part
        elif isinstance(part, sp.exp):
            exponent += part.args[0]
        elif part == r:
            k += 1
        elif part.is_Pow and part.base == r and part.exp.is_Integer and part.exp > 0:
            k += int(part.exp)
        elif part.is_Pow and isinstance(part.base, sp.exp) and part.exp.is_Integer:
            exponent += part.base.args[0] * part.exp
        else:
            raise NoClosedForm(f"the integral of {term}")
    exponent = sp.expand(exponent, log=False, power_base=False, power_exp=False)
    rate = exponent.coeff(r, 1)
    constant = exponent.coeff(r, 0)
    if rate.has(r) or constant.has(r) or sp.expand(exponent - rate * r - constant) != 0:
        raise NoClosedForm(f"the integral of {term}")
    return factor * sp.exp(constant), k, sp.factor_terms(rate)


def _moment(c: sp.Expr, k: int, rate: sp.Expr, tau: sp.Expr) -> sp.Expr:
    """Re int_0^tau c r^k exp(rate r) dr."""
    if rate.has(sp.I) or c.has(sp.I):
        return _oscillating_moment(c, k, rate, tau)
    if is_zero(rate):
        return c * tau ** (k + 1) / (k + 1)
    rate = sp.factor_terms(rate)
    if k == 0:
        return sp.factor_terms(c) / rate * Expm1(rate * tau)
    decay = -rate
    if decay.is_positive and k < 8:
        return c * sp.factorial(k) / decay ** (k + 1) * ErlangCdf(k + 1, decay * tau)
    powers = sp.Add(*((decay * tau) ** j / sp.factorial(j) for j in range(k + 1)))
    return c * sp.factorial(k) / decay ** (k + 1) * (1 - sp.exp(rate * tau) * powers)


def _oscillating_moment(c: sp.Expr, k: int, rate: sp.Expr, tau: sp.Expr) -> sp.Expr:
    (p, q), (a, b) = c.as_real_imag(), rate.as_real_imag()
    if is_zero(b):
        return _moment(p, k, a, tau)
    if k:
        raise NoClosedForm("an oscillation of repeated frequency")
    # exp(a tau) cos(b tau) - 1 without subtracting nearly equal numbers near tau = 0.
    cosine = Expm1(a * tau) * sp.cos(b * tau) - 2 * sp.sin(b * tau / 2) ** 2
    sine = sp.exp(a * tau) * sp.sin(b * tau)
    return ((p * a + q * b) * cosine + (p * b - q * a) * sine) / sp.expand(a**2 + b**2)


def integral(integrand: sp.Expr, r: sp.Symbol, tau: sp.Expr) -> sp.Expr:
    """int_0^tau integrand dr: by the table above, else by SymPy within its budget. Raises NoClosedForm."""
    try:
        return accumulate({(0, sp.S.Zero): sp.eye(1)}, sp.Matrix([[integrand]]), r, tau)[0]
    except NoClosedForm:
        pass
    try:
        primitive = bounded(SECONDS, sp.integrate, sp.expand(integrand), r)
    except OutOfTime:
        raise NoClosedForm(f"the integral of {integrand} took more than {SECONDS:g} s") from None
    # The first branch of a Piecewise is the generic one: equal rates are a null set, and the caller checks.
    primitive = primitive.replace(lambda e: isinstance(e, sp.Piecewise), lambda e: e.args[0].expr)
    if primitive.has(sp.Integral):
        raise NoClosedForm(f"the integral of {integrand}")
    at_zero = primitive.subs(r, 0)
    if at_zero.has(sp.nan, sp.zoo, sp.oo, -sp.oo):
        at_zero = bounded(SECONDS, sp.limit, primitive, r, 0, "+")
    return primitive.subs(r, tau) - at_zero

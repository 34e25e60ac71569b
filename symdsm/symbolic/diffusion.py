r"""Linear SDE -> closed-form Gaussian transition kernel.

    dx = (A(t) x + c(t)) dt + G(t) dw,   x(0) ~ (m0, S0)

has a Gaussian law at every t > 0 whose moments solve

    m' = A m + c,   m(0) = m0;      S' = A S + S A^T + G G^T,   S(0) = S0.

With the propagator Phi(t, s), dPhi/dt = A(t) Phi and Phi(s, s) = I,

    m(t) = Phi(t, 0) m0 + int_0^t Phi(t, s) c(s) ds,
    S(t) = Phi(t, 0) S0 Phi(t, 0)^T + int_0^t Phi(t, s) G(s) G(s)^T Phi(t, s)^T ds.

Two routes to a closed form. (1) One clock: A(t) = f(t) A0. In the time tau(t) = int_0^t f the matrix is
constant, Phi = exp(A0 (tau - tau')), and the integrals are over exponential polynomials. VE, VP, sub-VP,
OU and critically damped Langevin go this way, with any schedule f whose integral is known. (2) Commuting:
A(t) A(s) = A(s) A(t), then Phi(t, s) = exp(int_s^t A).

Nothing leaves this file unchecked: the initial condition and both moment equations are evaluated with 40
digits at random parameters and times, and a route that fails is dropped. A component that data do not
give (a velocity) starts at a stated normal law, and is thereby integrated out.

Sources: Särkkä and Solin, Applied Stochastic Differential Equations (2019), section 6.1; Song et al. 2021,
arXiv 2011.13456; Dockhorn et al. 2021, arXiv 2112.07068.
"""

from dataclasses import dataclass

import sympy as sp
from sympy.stats.crv_types import NormalDistribution
from sympy.stats.rv import RandomSymbol

from symdsm.errors import DeclarationError, DerivationError
from symdsm.symbolic.budget import OutOfTime, bounded
from symdsm.symbolic.given import expression
from symdsm.symbolic.linear_flow import NoClosedForm, accumulate, integral, is_zero, modes, spread_of, value
from symdsm.symbolic.moments import check_moments, tidy

__all__ = ["Transition", "transition"]

SECONDS = 6.0


@dataclass(frozen=True)
class Transition:
    """The law of the state at `time`, given the clean symbols at time 0: Normal(mean, covariance).

    Scalar SDEs: `mean` and `covariance` (the variance) are expressions. Vector SDEs with n components: `mean` is
    an (n, 1) matrix and `covariance` an (n, n) matrix. `clean` are the symbols that data give, in the order of
    the state; they occur in `mean` (and nowhere else, unless an initial law names them).
    """

    mean: sp.Expr | sp.ImmutableDenseMatrix
    covariance: sp.Expr | sp.ImmutableDenseMatrix
    state: sp.Symbol | sp.ImmutableDenseMatrix
    time: sp.Symbol
    drift: sp.Expr | sp.ImmutableDenseMatrix
    diffusion: sp.Expr | sp.ImmutableDenseMatrix
    clean: tuple[sp.Symbol, ...]


def transition(drift, diffusion, state, time, clean=None, initial=None) -> Transition:
    """The transition kernel of d state = drift dt + diffusion dw from time 0 to `time`.

    drift, diffusion, state: expressions and a symbol (scalar), or matrices of shape (n, 1), (n, m), (n, 1).
    clean: {state symbol: clean symbol} for the components that data give; by default each component that
    `initial` does not name, under its own symbol.
    initial: {state symbol: law} for the others; a law is a `sympy.stats.Normal` (independent of the rest) or
    an expression (a fixed start). Example: {v: st.Normal("v0", 0, sp.sqrt(g))}.

    Raises DeclarationError for a drift that is not linear in the state, a diffusion that depends on it,
    shapes that disagree, a component without a start, noise that does not reach every component;
    DerivationError when no closed form was found. Reference: Särkkä and Solin (2019), section 6.1.
    """
    scalar = not isinstance(state, sp.MatrixBase)
    x, f, g = _as_matrices(drift, diffusion, state)
    matrix, offset = _linear_parts(f, g, x)
    clean_symbols, start, spread = _start(x, time, clean or {}, initial or {})
    # A positive time: SymPy then knows the signs of the exponents.
    t = sp.Dummy("t", positive=True)
    pieces = [part.subs(time, t) for part in (matrix, offset, g * g.T)]
    mean, covariance = _solve(*pieces, start, spread, t)
    mean, covariance = mean.subs(t, time), covariance.subs(t, time)
    if scalar:
        return Transition(mean[0], covariance[0], state, time, f[0], g[0], clean_symbols)
    frozen = [sp.ImmutableDenseMatrix(part) for part in (mean, covariance, x, f, g)]
    return Transition(frozen[0], frozen[1], frozen[2], time, frozen[3], frozen[4], clean_symbols)


def _as_matrices(drift, diffusion, state) -> tuple[sp.Matrix, sp.Matrix, sp.Matrix]:
    parts = [part if isinstance(part, sp.MatrixBase) else sp.Matrix([[part]]) for part in (state, drift, diffusion)]
    x, f, g = (part.as_mutable() for part in parts)
    n = x.shape[0]
    if x.shape[1] != 1 or f.shape != (n, 1) or g.shape[0] != n:
        raise DeclarationError(
            given=f"state of shape {x.shape}, drift of shape {f.shape}, diffusion of shape {g.shape}",
            expected="shapes (n, 1), (n, 1) and (n, m)",
            fix="write state and drift as columns, and the diffusion with one row for each component",
        )
    if not all(isinstance(entry, sp.Symbol) for entry in x) or len(set(x)) != n:
        raise DeclarationError(
            given=f"the state {list(x)}",
            expected="different symbols",
            fix="pass state=x, or state=sp.Matrix([x1, x2])",
        )
    return x, f, g


def _linear_parts(f: sp.Matrix, g: sp.Matrix, x: sp.Matrix) -> tuple[sp.Matrix, sp.Matrix]:
    """A and c of drift = A x + c."""
    symbols = set(x)
    if g.free_symbols & symbols:
        raise DeclarationError(
            given=f"the diffusion {g[0] if g.shape == (1, 1) else g}, which depends on the state",
            expected="a diffusion without the state: only then is the transition Gaussian",
            fix="change coordinates: for geometric noise declare the SDE of log(x), then kernel.change(sp.exp)",
        )
    origin = dict.fromkeys(x, 0)
    matrix = f.jacobian(x).applyfunc(lambda entry: entry if not entry.free_symbols & symbols else sp.expand(entry))
    offset = f.subs(origin)
    residual = (f - matrix.subs(origin) * x - offset).applyfunc(sp.expand)
    nonlinear = [f[i] for i in range(len(x)) if not is_zero(residual[i])]
    if nonlinear:
        raise DeclarationError(
            given=f"the drift {nonlinear[0]}, which is not linear in {', '.join(map(str, x))}",
            expected="a drift A(t) x + c(t): only then is the transition Gaussian",
            fix="linearise the drift, or declare the transition density with Kernel.from_density",
        )
    return matrix.subs(origin), offset


def _start(x, time, clean, initial) -> tuple[tuple, sp.Matrix, sp.Matrix]:
    """Clean symbols, and mean and covariance at time 0."""
    unknown = (set(clean) | set(initial)) - set(x)
    twice = set(clean) & set(initial)
    if unknown or twice:
        raise DeclarationError(
            given=f"starts for {', '.join(sorted(map(str, unknown or twice)))}",
            expected=f"each of {', '.join(map(str, x))} once, in clean or in initial",
            fix="clean={x: X} for what data give, initial={v: st.Normal('v0', 0, s)} for the others",
        )
    clean = dict(clean) or {symbol: symbol for symbol in x if symbol not in initial}
    missing = [symbol for symbol in x if symbol not in clean and symbol not in initial]
    if missing or not clean:
        raise DeclarationError(
            given=f"no start for {', '.join(map(str, missing))}" if missing else "no clean component",
            expected="every component either given by data or started at a stated law",
            fix="add initial={v: st.Normal('v0', 0, s)} for the others, and clean={x: X} for what data give",
        )
    laws = [(clean[symbol], sp.S.Zero) if symbol in clean else _law(initial[symbol]) for symbol in x]
    means, variances = sp.Matrix([m for m, _ in laws]), sp.diag(*(v for _, v in laws))
    symbols = tuple(clean[symbol] for symbol in x if symbol in clean)
    bad = [s for s in symbols if not isinstance(s, sp.Symbol)]
    hidden = set(x) - set(symbols)
    if bad or len(set(symbols)) != len(symbols) or (means.free_symbols | variances.free_symbols) & (hidden | {time}):
        raise DeclarationError(
            given=f"the start {list(means)} with variances {list(variances.diagonal())}",
            expected="different clean symbols, and laws without the time and the state",
            fix="clean={x: X} with a symbol X for each component, and parameters in the laws",
        )
    return symbols, means, variances


def _law(law) -> tuple[sp.Expr, sp.Expr]:
    if isinstance(law, RandomSymbol):
        distribution = law.pspace.distribution
        if not isinstance(distribution, NormalDistribution):
            raise DeclarationError(
                given=f"the initial law {distribution}",
                expected="a normal law: only then is the transition Gaussian",
                fix="use st.Normal('v0', mean, std) or a fixed value",
            )
        return distribution.mean, distribution.std**2
    return expression(law, "the start"), sp.S.Zero


def _solve(matrix, offset, noise, start, spread, t) -> tuple[sp.Matrix, sp.Matrix]:
    """Moments at t by the first route whose result passes the check."""
    reasons = []
    for route in (_by_clock, _by_commuting):
        try:
            mean, covariance = bounded(SECONDS, route, matrix, offset, noise, start, spread, t)
            fault = bounded(SECONDS, check_moments, mean, covariance, matrix, offset, noise, start, spread, t)
        except (NoClosedForm, OutOfTime) as error:
            reasons.append(str(error))
            continue
        if fault is None:
            return mean, covariance
        if fault == "singular":
            raise DeclarationError(
                given="noise that does not reach every component of the state",
                expected="a covariance that is positive definite for t > 0",
                fix="drop the components without noise, start them at a law, or couple them to noise",
            )
        reasons.append(fault)
    raise DerivationError(
        given=f"the matrix {matrix.tolist()} and the noise {noise.tolist()}",
        expected="a closed form of the moments; " + "; ".join(dict.fromkeys(reasons)),
        fix="declare the parameters with their signs, or give the density itself with Kernel.from_density",
    )


def _by_clock(matrix, offset, noise, start, spread, t) -> tuple[sp.Matrix, sp.Matrix]:
    constant, rate = _clock(matrix, t)
    r, tau = sp.Dummy("r", positive=True), sp.Dummy("tau", positive=True)
    elapsed = integral(rate.subs(t, r), r, t)
    flow = modes(constant)
    # Both integrals run over the age r of the noise, tau - r being when it came in; without drift age is nothing.
    came_in = r if constant.is_zero_matrix else tau - r
    inflow = _per_clock(offset, rate, elapsed, t, tau).subs(tau, came_in)
    heat = _per_clock(noise, rate, elapsed, t, tau).subs(tau, came_in)
    now = value(flow, tau)
    mean = now * start + accumulate(flow, inflow, r, tau)
    covariance = now * spread * now.T + spread_of(flow, heat, r, tau)
    covariance = covariance.applyfunc(lambda entry: tidy(entry, tau))
    return mean.subs(tau, elapsed), covariance.subs(tau, elapsed)


def _clock(matrix: sp.Matrix, t: sp.Symbol) -> tuple[sp.Matrix, sp.Expr]:
    """A0 and f with A(t) = f(t) A0; f is free of constants and positive at typical values."""
    entries = [entry for entry in matrix if entry != 0]
    if not matrix.has(t):
        return matrix, sp.S.One
    rate = sp.factor_terms(entries[0]).as_independent(t, as_Add=False)[1]
    typical = {s: 1 + sp.Rational(k, 10) for k, s in enumerate(sorted(rate.free_symbols - {t}, key=str))}
    if rate.subs(typical).subs(t, sp.Rational(1, 10)).is_negative:
        rate = -rate
    constant = (matrix / rate).applyfunc(lambda entry: _without(entry, t))
    return constant, rate


def _without(entry: sp.Expr, t: sp.Symbol) -> sp.Expr:
    for rewrite in (sp.factor_terms, sp.cancel, sp.simplify):
        try:
            entry = bounded(1.0, rewrite, entry)
        except OutOfTime:
            continue
        if not entry.has(t):
            return entry
    raise NoClosedForm("no common clock")


def _per_clock(part: sp.Matrix, rate, elapsed, t, tau) -> sp.Matrix:
    """part/rate as a function of tau = elapsed(t)."""

    def entry(e):
        if rate == 1:
            return e.subs(t, tau)
        names = {u: sp.Dummy() for u in e.atoms(sp.exp) if u.has(t)}
        ratio = _without(e.subs(names) / rate, t)
        return ratio.subs({name: sp.exp(_without(u.args[0] / elapsed, t) * tau) for u, name in names.items()})

    return part.applyfunc(entry)


def _by_commuting(matrix, offset, noise, start, spread, t) -> tuple[sp.Matrix, sp.Matrix]:
    s = sp.Dummy("s", positive=True)
    earlier = matrix.subs(t, s)
    if not all(is_zero(entry) for entry in matrix * earlier - earlier * matrix):
        raise NoClosedForm("the drift matrices at different times do not commute")
    total = earlier.applyfunc(lambda entry: integral(entry, s, t))
    now = value(modes(total), sp.S.One)
    since = value(modes((total - total.subs(t, s)).applyfunc(sp.factor)), sp.S.One)
    heat, inflow = noise.subs(t, s), offset.subs(t, s)
    gained = (since * heat * since.T).applyfunc(lambda entry: integral(entry, s, t))
    mean = now * start + (since * inflow).applyfunc(lambda entry: integral(entry, s, t))
    return mean, now * spread * now.T + gained

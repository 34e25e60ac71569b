r"""The Dirichlet law of sympy.stats as a kernel on the simplex, for events of any length.

    y ~ Dirichlet(a_1, .., a_n),    log p = sum_k ((a_k - 1) log y_k - log Gamma(a_k)) + log Gamma(sum_k a_k),

where a_k = h(x_k) with one h for all entries: the law is then that of an array, symbolic/manifolds.py tells its score
and its measure. Source: Kotz, Balakrishnan and Johnson, Continuous Multivariate Distributions (2000), chapter 49.
"""

import sympy as sp
from sympy.stats.joint_rv import JointRandomSymbol
from sympy.stats.joint_rv_types import MultivariateBetaDistribution

from symdsm.errors import DeclarationError
from symdsm.symbolic.manifolds import Simplex

__all__ = ["as_dirichlet"]


def as_dirichlet(expr, clean, level) -> tuple | None:
    """(log density, noisy, clean, support, level) in index notation; None where `expr` is no Dirichlet symbol."""
    if not isinstance(expr, JointRandomSymbol) or not isinstance(
        expr.pspace.distribution, MultivariateBetaDistribution
    ):
        return None
    concentrations = list(expr.pspace.distribution.args[0])
    entries = list(clean) if isinstance(clean, sp.MatrixBase) else [clean]
    rule = concentrations[0].xreplace({entries[0]: _ENTRY})
    each = [rule.xreplace({_ENTRY: x}) for x in entries]
    if len(entries) != len(concentrations) or _ENTRY not in rule.free_symbols or each != concentrations:
        raise DeclarationError(
            given=f"the Dirichlet law with concentrations {concentrations} and clean={entries}",
            expected="one clean symbol for each entry, and the same function of it as each concentration",
            fix="write st.Dirichlet('y', [nu*x1, nu*x2]) with clean=[x1, x2], or its density in index notation",
        )
    taken = {s.name for c in concentrations for s in c.free_symbols}
    noisy, x = (sp.IndexedBase(sp.Symbol(_free(name, taken)), real=True) for name in (expr.name, "x"))
    i, n = sp.Symbol(_free("i", taken), integer=True), sp.Symbol(_free("n", taken), integer=True, positive=True)
    own = rule.xreplace({_ENTRY: x[i]})
    everywhere = (i, 0, n - 1)
    mass = sp.loggamma(sp.Sum(own, everywhere)) - sp.Sum(sp.loggamma(own), everywhere)
    return sp.Sum((own - 1) * sp.log(noisy[i]), everywhere) + mass, noisy, x, Simplex(), level


_ENTRY = sp.Dummy("x", positive=True)


def _free(name: str, taken: set[str]) -> str:
    return name if name not in taken else _free(f"{name}_", taken)

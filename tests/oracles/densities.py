"""The 52 univariate continuous families of sympy.stats, as their log densities stand in the textbooks.

Written by hand in mpmath from the sources named beside each law, never from SymPy, and compared with SciPy in
test_densities.py. Parameters come in sympy.stats' order. `Family.log_density(y, *theta)` is minus infinity
outside the support; its accuracy is that of mpmath's working precision. Sources:

    JKB1, JKB2   Johnson, Kotz, Balakrishnan, Continuous Univariate Distributions, 2nd ed., volumes 1 and 2.
    FEHP         Forbes, Evans, Hastings, Peacock, Statistical Distributions, 4th ed.
    KK           Kleiber, Kotz, Statistical Size Distributions in Economics and Actuarial Sciences.
    MJ           Mardia, Jupp, Directional Statistics.
"""

from tests.oracles import bounded, unbounded
from tests.oracles.family import FAMILIES, Family

__all__ = ["FAMILIES", "Family", "bounded", "unbounded"]

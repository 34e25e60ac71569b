"""One formula, two readers: SymPy makes a declaration of it, mpmath its value.

A log density is written once as a function of a backend `m`. Read with SYMPY it is what a user hands to
`Kernel.from_density`; read with MPMATH it is a number that SymPy never touched.
"""

from types import SimpleNamespace

import sympy as sp
from mpmath import mp, mpf

SYMPY = SimpleNamespace(
    exp=sp.exp,
    log=sp.log,
    sqrt=sp.sqrt,
    abs=sp.Abs,
    sin=sp.sin,
    cos=sp.cos,
    atan=sp.atan,
    asinh=sp.asinh,
    cosh=sp.cosh,
    erf=sp.erf,
    erfc=sp.erfc,
    loggamma=sp.loggamma,
    besseli=sp.besseli,
    besselk=sp.besselk,
    pi=sp.pi,
    oo=sp.oo,
    number=sp.Integer,
    choose=lambda condition, yes, no: sp.Piecewise((yes, condition), (no, True)),
)


def _bessel_k(order, z):
    # mpmath takes a slow limit at integer orders; an order 1e-45 away changes nothing in the first 40 digits.
    return mp.besselk(order + mpf(10) ** -45, z)


MPMATH = SimpleNamespace(
    exp=mp.exp,
    log=mp.log,
    sqrt=mp.sqrt,
    abs=mp.fabs,
    sin=mp.sin,
    cos=mp.cos,
    atan=mp.atan,
    asinh=mp.asinh,
    cosh=mp.cosh,
    erf=mp.erf,
    erfc=mp.erfc,
    loggamma=mp.loggamma,
    besseli=mp.besseli,
    besselk=_bessel_k,
    pi=mp.pi,
    oo=mp.inf,
    number=mpf,
    choose=lambda condition, yes, no: yes if condition else no,
)

"""The table of laws: what a family is, and the words that its rows share."""

from collections.abc import Callable
from dataclasses import dataclass

from mpmath import mp, mpf

INF = mp.inf


@dataclass(frozen=True)
class Family:
    """One law: its log density inside the support, the support (low, high), and its distribution function."""

    name: str
    inside: Callable
    support: Callable
    law: Callable

    def log_density(self, y, *theta):
        low, high = self.support(*theta)
        return self.inside(y, *theta) if low < y < high else -INF


FAMILIES: dict[str, Family] = {}


def family(name, support, law):
    """Enter the decorated log density into the table."""

    def register(inside):
        FAMILIES[name] = Family(name, inside, support, law)
        return inside

    return register


def line(*_):
    return -INF, INF


def positive(*_):
    return mpf(0), INF


def unit(*_):
    return mpf(0), mpf(1)


def log_beta(a, b):
    return mp.loggamma(a) + mp.loggamma(b) - mp.loggamma(a + b)

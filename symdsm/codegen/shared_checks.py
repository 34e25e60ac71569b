"""Checks of shapes that several functions of one event begin with, written once.

Each function of codegen/arrays.py stands alone and refuses arrays that do not fit. In a module of several, equal checks
become one private function, which returns the sizes that it reads:

    n, m = _sizes(y, x, beta, sigma)
"""

import re
from collections import Counter

__all__ = ["share_checks"]

_HEAD = re.compile(r'def _\w+_of_event\(.*?-> jax\.Array:\n    """.*?"""\n', re.S)
_CHECKS = re.compile(r"(?:    if [^\n]*:\n        raise ValueError\([^\n]*\)\n|    \w+ = [^\n]*jnp\.shape\([^\n]*\n)+")
_SIZE = re.compile(r"^    (\w+) = ", re.M)


def share_checks(functions: list[str]) -> list[str]:
    """The functions, those that check before them; a check that is made once stays where it is."""
    split = [_split(text) for text in functions]
    often = [checks for checks, count in Counter(s[1] for s in split if s[1]).items() if count > 1]
    names: dict[str, str] = {}
    for checks in often:
        names[checks] = _name(_arguments(checks)[0], names.values())
    shared = [_function(names[checks], checks) for checks in often]
    return [*shared, *(head + _called(names.get(checks), checks, body) + body for head, checks, body in split)]


def _name(first: str, taken) -> str:
    """_sizes, or when that is taken _sizes_by_x, after the first array that is read."""
    wanted = f"_sizes_by_{first}" if taken else "_sizes"
    return wanted if wanted not in taken else f"{wanted}_{len(taken)}"


def _split(text: str) -> tuple[str, str, str]:
    head = _HEAD.match(text)
    checks = _CHECKS.match(text, head.end()) if head else None
    return (text, "", "") if checks is None else (text[: head.end()], checks.group(), text[checks.end() :])


def _sizes(checks: str) -> list[str]:
    return list(dict.fromkeys(_SIZE.findall(checks)))


def _arguments(checks: str) -> list[str]:
    """The arrays whose shapes are looked at."""
    return list(dict.fromkeys(re.findall(r"jnp\.(?:ndim|shape)\((\w+)\)", checks)))


def _function(name: str, checks: str) -> str:
    sizes = _sizes(checks)
    doc = "The sizes of one event; refuses arrays of other shapes." if sizes else "Refuses arrays of other shapes."
    returned = f"    return {', '.join(sizes)}" if sizes else ""
    return f'def {name}({", ".join(_arguments(checks))}):\n    """{doc}"""\n{checks}{returned}'.rstrip()


def _called(name: str | None, checks: str, body: str) -> str:
    if name is None:
        return checks
    call = f"{name}({', '.join(_arguments(checks))})"
    used = [size if re.search(rf"\b{size}\b", body) else "_" for size in _sizes(checks)]
    return f"    {', '.join(used)} = {call}\n" if set(used) - {"_"} else f"    {call}\n"

"""Declarations as canonical JSON: written from a table of SymPy classes, read without evaluating Python.

    tree   = [head, argument, ...]           a SymPy object, its head from symdsm.symbolic.heads
           | ["Symbol", name, {fact: bool}]  with the fewest facts that imply all the others
           | ["Dummy", name, {..}, number]   numbered in the order of reading
           | ["Integer", "12"] | ["Rational", "1", "3"] | ["Float", sign, "mantissa", exponent, bits]
           | ["Matrix" | "ImmutableMatrix", rows, columns, entry, ...]
           | ["Random", distribution, symbol, parameter, ...]
           | ["Function", name]              the function itself, as in change(log)
           | ["tuple", ...] | ["list", ...] | {..} | ["map", [key, value], ...]
           | "text" | 12 | true | null | ["float", hex]
    "head!"                                  an object that SymPy's own evaluation would change (2*(x + 1))

Equal objects give equal bytes on every platform: arguments without an order are sorted by their own text,
keys by name, numbers are exact. `loads(dumps(e)) == e`, assumptions included; a Dummy comes back as a
fresh one at the same places. Heads outside the table, malformed or too deep trees and numbers out of
proportion raise DeclarationError.
"""

import hashlib
import json
import re
from functools import lru_cache
from typing import Any

import sympy as sp
from sympy.core.symbol import Str
from sympy.stats.crv import SingleContinuousPSpace
from sympy.stats.joint_rv import JointDistribution, JointPSpace
from sympy.stats.rv import RandomSymbol
from sympy.tensor.indexed import IndexException

from symdsm.errors import DeclarationError
from symdsm.symbolic.budget import OutOfTime, bounded
from symdsm.symbolic.heads import CONSTANTS, DISTRIBUTIONS, FUNCTIONS, HEADS, UNORDERED
from symdsm.symbolic.limits import MAX_BITS, admissible_argument, admissible_number, admissible_power
from symdsm.symbolic.nearest import NEAREST

__all__ = ["digest", "dumps", "loads"]

FORMAT = 1
MAX_DEPTH = 100
MAX_TEXT = 4_000_000
SECONDS = 10.0

_INTEGER = re.compile(r"-?[0-9]{1,1300}")
_FACTS = {"commutative", *sp.Symbol("p", positive=True, integer=True, even=True).assumptions0, "odd", "prime",
          "composite", "irrational", "noninteger", "infinite", "extended_nonzero"}  # fmt: skip
_NAME_OF_CONSTANT = {value: name for name, value in CONSTANTS.items()}
_NAME_OF_DISTRIBUTION = {cls: name for name, cls in DISTRIBUTIONS.items()}


def dumps(obj: Any) -> str:
    """The canonical JSON of a SymPy object, or of tuples, lists, dicts, strings and numbers that hold some.

    Raises DeclarationError for a class outside the table, a name that is no identifier, or more than 100 levels.
    """
    try:
        tree = _Writer().write(obj, 0)
    except RecursionError:
        raise _too_deep() from None
    return json.dumps({"format": FORMAT, "tree": tree}, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(obj: Any) -> str:
    """SHA-256 of the canonical text, in hex."""
    return hashlib.sha256(dumps(obj).encode("ascii")).hexdigest()


def loads(text: str) -> Any:
    """What `dumps` wrote. Raises DeclarationError for any other text."""
    if not isinstance(text, str) or len(text) > MAX_TEXT:
        raise _malformed("a text that is too long" if isinstance(text, str) else f"a {type(text).__name__}")
    try:
        document = json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant, parse_float=_no_constant)
    except (ValueError, RecursionError) as error:
        raise _malformed(f"text that is not JSON ({type(error).__name__})") from None
    if not isinstance(document, dict) or set(document) != {"format", "tree"} or document["format"] != FORMAT:
        raise _malformed("JSON of another format")
    try:
        return bounded(SECONDS, _Reader().read, document["tree"], 0)
    except OutOfTime:
        raise _malformed("a tree that takes too long to build") from None
    except RecursionError:
        raise _malformed(f"a tree of more than {MAX_DEPTH} levels") from None


def _malformed(given: str) -> DeclarationError:
    return DeclarationError(
        given=given,
        expected="a declaration as kernel.to_json() writes it",
        fix="write it again with kernel.to_json(), and check where the text comes from",
    )


def _too_deep() -> DeclarationError:
    return DeclarationError(
        given=f"an expression of more than {MAX_DEPTH} levels",
        expected=f"at most {MAX_DEPTH}",
        fix="write it flatter, for example with a Sum in place of nested terms",
    )


def _once(pairs: list) -> dict:
    if len({key for key, _ in pairs}) != len(pairs):
        raise ValueError("a key occurs twice")
    return dict(pairs)


def _no_constant(text: str):
    raise ValueError(text)


def _identifier(name: Any) -> str:
    if not (isinstance(name, str) and name.isidentifier() and len(name) <= 100):
        raise DeclarationError(
            given=f"the name {str(name)[:60]!a}",
            expected="a Python identifier: parameters are passed by name",
            fix="rename the symbol, for example sigma instead of \\sigma",
        )
    return name


@lru_cache(maxsize=4096)
def _fewest_facts(symbol: sp.Symbol) -> dict[str, bool]:
    """The assumptions of the symbol, less those that the others imply; one answer for equal symbols."""
    facts = {name: value for name, value in symbol.assumptions0.items() if name != "commutative" or not value}
    full = symbol.assumptions0
    for name in sorted(facts, key=lambda f: (f in ("real", "positive", "negative", "integer"), f)):
        fewer = {key: value for key, value in facts.items() if key != name}
        if sp.Symbol(symbol.name, **fewer).assumptions0 == full:
            facts = fewer
    return facts


class _Writer:
    """Objects -> JSON trees. Anonymous writers leave out the numbers of dummies, to sort by."""

    def __init__(self, anonymous: bool = False):
        self.numbers: dict[sp.Dummy, int] = {}
        self.anonymous = anonymous
        self.keys: dict[sp.Basic, str] = {}

    def write(self, obj: Any, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise _too_deep()
        if obj is None or isinstance(obj, (bool, str, int)):
            return obj
        if isinstance(obj, float):
            return ["float", obj.hex()]
        if isinstance(obj, (tuple, list)):
            return [type(obj).__name__ if type(obj) in (tuple, list) else "tuple", *self.all(obj, depth)]
        if isinstance(obj, dict):
            return self.mapping(obj, depth)
        if isinstance(obj, sp.MatrixBase):
            head = "ImmutableMatrix" if isinstance(obj, sp.Basic) else "Matrix"
            return [head, *obj.shape, *self.all(list(obj), depth)]
        if isinstance(obj, type) and obj.__name__ in FUNCTIONS and FUNCTIONS[obj.__name__] is obj:
            return ["Function", obj.__name__]
        return self.node(obj, depth)

    def mapping(self, obj: dict, depth: int) -> Any:
        if all(isinstance(key, str) for key in obj):
            return {key: self.write(value, depth + 1) for key, value in obj.items()}
        if not all(isinstance(key, sp.Basic) for key in obj):
            raise _unknown(obj)
        return ["map", *(self.all((key, obj[key]), depth) for key in sorted(obj, key=self.sort_key))]

    def all(self, objs, depth: int) -> list:
        return [self.write(each, depth + 1) for each in objs]

    def node(self, obj: Any, depth: int) -> list:
        if isinstance(obj, sp.Basic) and obj in _NAME_OF_CONSTANT:
            return [_NAME_OF_CONSTANT[obj]]
        if isinstance(obj, sp.Integer):
            return ["Integer", str(int(obj))]
        if isinstance(obj, sp.Rational):
            return ["Rational", str(int(obj.p)), str(int(obj.q))]
        if isinstance(obj, sp.Float) and obj.is_finite:
            sign, mantissa, exponent, _ = obj._mpf_
            return ["Float", int(sign), str(int(mantissa)), int(exponent), int(obj._prec)]
        if type(obj) is sp.Symbol:
            return ["Symbol", _identifier(obj.name), _fewest_facts(obj)]
        if type(obj) is sp.Dummy:
            number = 0 if self.anonymous else self.numbers.setdefault(obj, len(self.numbers))
            return ["Dummy", _identifier(obj.name), _fewest_facts(sp.Symbol(obj.name, **obj.assumptions0)), number]
        if type(obj) is Str:
            return ["Str", obj.name]
        if isinstance(obj, RandomSymbol):
            return self.random(obj, depth)
        name = type(obj).__name__
        if HEADS.get(name) is not type(obj):
            raise _unknown(obj)
        if _evaluates(obj):
            args = sorted(obj.args, key=self.sort_key) if name in UNORDERED else obj.args
            return [name, *self.all(args, depth)]
        return [name + "!", *self.all(obj.args, depth)]

    def sort_key(self, arg: sp.Basic) -> str:
        if arg not in self.keys:
            self.keys[arg] = json.dumps(_Writer(anonymous=True).write(arg, 0), sort_keys=True)
        return self.keys[arg]

    def random(self, obj: RandomSymbol, depth: int) -> list:
        law = getattr(obj.pspace, "distribution", None)
        if not isinstance(obj.pspace, _space_of(law)) or type(law) not in _NAME_OF_DISTRIBUTION:
            raise _unknown(obj)
        return [
            "Random",
            _NAME_OF_DISTRIBUTION[type(law)],
            self.write(obj.symbol, depth + 1),
            *self.all(law.args, depth),
        ]


def _space_of(law: Any) -> type:
    return JointPSpace if isinstance(law, JointDistribution) else SingleContinuousPSpace


def _evaluates(obj: sp.Basic) -> bool:
    """Does SymPy build the same object from its arguments?"""
    try:
        return obj.func(*obj.args) == obj
    except (ValueError, TypeError):
        return False


def _unknown(obj: Any) -> DeclarationError:
    name = type(obj).__name__
    if type(obj) in NEAREST:
        return DeclarationError(
            given=f"{str(obj)[:80]}, whose function {name} has no JAX form",
            expected="functions that have a JAX form",
            fix=f"use {NEAREST[type(obj)]}",
        )
    return DeclarationError(
        given=f"{str(obj)[:80]}, a {name}",
        expected="numbers, symbols, the usual functions, sums, sets and continuous distributions of SymPy",
        fix="write the kernel with those; symdsm.symbolic.heads lists them",
    )


class _Reader:
    """JSON trees -> objects, by table."""

    def __init__(self):
        self.dummies: dict[tuple, sp.Dummy] = {}

    def read(self, tree: Any, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise _malformed(f"a tree of more than {MAX_DEPTH} levels")
        if isinstance(tree, int) and not isinstance(tree, bool) and tree.bit_length() > MAX_BITS:
            raise _malformed("an integer out of proportion")
        if tree is None or isinstance(tree, (bool, str, int)):
            return tree
        if isinstance(tree, dict):
            return {key: self.read(value, depth + 1) for key, value in tree.items()}
        if not tree or not isinstance(tree[0], str):
            raise _malformed("a list without a head")
        head, *parts = tree
        try:
            return self.build(head, parts, depth)
        except DeclarationError:
            raise
        except (
            ValueError,
            TypeError,
            AttributeError,
            KeyError,
            IndexError,
            NotImplementedError,
            ArithmeticError,
            IndexException,
        ):
            raise _malformed(f"{head!a} with arguments that do not fit") from None

    def build(self, head: str, parts: list, depth: int) -> Any:
        own = _OWN.get(head)
        if own is not None:
            return own(self, parts, depth)
        if head in CONSTANTS and not parts:
            return CONSTANTS[head]
        name, raw = head.removesuffix("!"), head.endswith("!")
        if name not in HEADS:
            raise _malformed(f"the unknown head {head[:60]!a}")
        args = [self.symbolic(part, depth + 1) for part in parts]
        if name == "Pow":
            admissible_power(*args)
        elif name in FUNCTIONS:
            admissible_argument(name, *args)
        built = HEADS[name](*args, evaluate=False) if raw else HEADS[name](*args)
        if not isinstance(built, sp.Basic):
            raise _malformed(f"{head!a} with arguments that do not fit")
        return admissible_number(built)

    def symbolic(self, tree: Any, depth: int) -> Any:
        built = self.read(tree, depth)
        if not isinstance(built, sp.Basic):
            raise _malformed(f"{str(tree)[:60]!a} inside an expression")
        return built

    def mapping(self, parts: list, depth: int) -> dict:
        pairs = [(self.symbolic(key, depth + 1), self.read(value, depth + 1)) for key, value in parts]
        if len(dict(pairs)) != len(pairs):
            raise ValueError("a key occurs twice")
        return dict(pairs)

    def values(self, parts: list, depth: int) -> list:
        return [self.read(part, depth + 1) for part in parts]

    def symbol(self, parts: list, depth: int) -> sp.Symbol:
        name, facts = parts
        return sp.Symbol(_identifier(name), **_admissible_facts(facts))

    def dummy(self, parts: list, depth: int) -> sp.Dummy:
        name, facts, number = parts
        key = (_identifier(name), tuple(sorted(_admissible_facts(facts).items())), int(number))
        if key not in self.dummies:
            self.dummies[key] = sp.Dummy(name, **facts)
        return self.dummies[key]

    def random(self, parts: list, depth: int) -> sp.Basic:
        name, symbol, *args = parts[0], *(self.symbolic(part, depth + 1) for part in parts[1:])
        law = DISTRIBUTIONS[name](*args)
        law.check(*args)
        if not isinstance(symbol, sp.Symbol):
            raise ValueError(symbol)
        return _space_of(law)(symbol, law).value

    def matrix(self, cls: type, parts: list, depth: int) -> sp.MatrixBase:
        rows, columns, *entries = parts
        if (
            type(rows) is not int
            or type(columns) is not int
            or rows * columns != len(entries)
            or min(rows, columns) < 0
        ):
            raise ValueError("shape")
        return cls(rows, columns, [self.symbolic(entry, depth + 1) for entry in entries])


def _admissible_facts(facts: Any) -> dict[str, bool]:
    if not isinstance(facts, dict) or not set(facts) <= _FACTS or not all(type(v) is bool for v in facts.values()):
        raise _malformed(f"the assumptions {str(facts)[:60]!a}")
    return facts


def _whole(text: Any) -> int:
    if not isinstance(text, str) or not _INTEGER.fullmatch(text):
        raise ValueError(text)
    return int(text)


def _float(sign: int, mantissa: str, exponent: int, bits: int) -> sp.Float:
    if not (
        sign in (0, 1)
        and type(exponent) is int
        and type(bits) is int
        and abs(exponent) < 10**6
        and 0 < bits <= MAX_BITS
    ):
        raise ValueError("Float")
    return sp.Float((sign, _whole(mantissa), exponent), precision=bits)


_OWN = {
    "Integer": lambda reader, parts, depth: sp.Integer(*map(_whole, parts)),
    "Rational": lambda reader, parts, depth: sp.Rational(_whole(parts[0]), _whole(parts[1])),
    "Float": lambda reader, parts, depth: _float(*parts),
    "Symbol": _Reader.symbol,
    "Dummy": _Reader.dummy,
    "Str": lambda reader, parts, depth: Str(_identifier(*[part.replace(" ", "_") for part in parts]) and parts[0]),
    "Random": _Reader.random,
    "Matrix": lambda reader, parts, depth: reader.matrix(sp.Matrix, parts, depth),
    "ImmutableMatrix": lambda reader, parts, depth: reader.matrix(sp.ImmutableDenseMatrix, parts, depth),
    "Function": lambda reader, parts, depth: FUNCTIONS[parts[0]],
    "tuple": lambda reader, parts, depth: tuple(reader.values(parts, depth)),
    "list": lambda reader, parts, depth: reader.values(parts, depth),
    "map": _Reader.mapping,
    "float": lambda reader, parts, depth: float.fromhex(*parts),
}

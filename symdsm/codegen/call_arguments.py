"""What a Program is called with: real floating arrays, parameters by name, values within their assumptions.

Concrete values are judged, and refused in words. Tracers are let through: there the emitted code gives NaN for what
breaks an assumption (codegen/guards.py). NaN in an array is let through as well, because it stays one.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from symdsm.errors import DataError, ParameterError

__all__ = ["Limit", "checked_parameters", "floats", "refuse_broken"]


@dataclass(frozen=True)
class Limit:
    """A condition on x and the parameters: in words, the arguments that it judges, and where it is broken.

    A limit on one block of a product judges that block's clean value.
    """

    words: str
    arguments: tuple[str, ...]
    broken: Callable
    block: str | None = None


def refuse_broken(limits: Sequence[Limit], arrays: Mapping, params: Mapping) -> None:
    """Judge what is concrete. Raises DataError for a condition on x, ParameterError for one on parameters only."""
    for limit in limits:
        values = dict(params)
        if "x" in arrays:
            values["x"] = arrays["x"] if limit.block is None else arrays["x"][limit.block]
        given = [values.get(name) for name in limit.arguments]
        if any(v is None or isinstance(v, jax.core.Tracer) for v in given):
            continue
        with jax.ensure_compile_time_eval():
            broken = np.asarray(limit.broken(*given))
        if broken.any():
            raise _broken_limit(limit, dict(zip(limit.arguments, given, strict=True)), broken)


def _broken_limit(limit: Limit, given: dict, broken: np.ndarray) -> ParameterError | DataError:
    worst = np.unravel_index(int(np.argmax(broken)), broken.shape)
    shown = ", ".join(f"{name}={_entry(value, worst, broken.shape)}" for name, value in given.items())
    expected = f"{limit.words}, as the kernel's density needs it" + f" (block {limit.block!r})" * bool(limit.block)
    error = DataError if "x" in given else ParameterError
    return error(given=shown, expected=expected, fix=f"pass values with {limit.words}")


def _entry(value, place: tuple, shape: tuple):
    """The entry at a place of the broadcast array; the vector or the matrix there, for several coordinates."""
    value = np.asarray(value)
    return _short(np.broadcast_to(value, shape + value.shape[len(shape) :])[place].tolist())


# rule: (the number that decides, does it break the rule, in words)
_RULES = {
    "positive": (np.fmin.reduce, jnp.nanmin, lambda v: v <= 0, "> 0"),
    "nonnegative": (np.fmin.reduce, jnp.nanmin, lambda v: v < 0, ">= 0"),
    "negative": (np.fmax.reduce, jnp.nanmax, lambda v: v >= 0, "< 0"),
    "nonpositive": (np.fmax.reduce, jnp.nanmax, lambda v: v > 0, "<= 0"),
}


def floats(arrays: Mapping, rules: Mapping) -> list:
    """Real floating arrays, or dicts of them; Python numbers become weakly typed ones. Raises DataError."""
    return [_floats(name, value, rules.get(name, ())) for name, value in arrays.items()]


def _floats(name: str, value, rules):
    if isinstance(rules, Mapping):
        return _block_arrays(name, value, rules)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = float(value)
    try:
        array = jnp.asarray(value)
    except (TypeError, ValueError) as error:
        raise DataError(
            given=f"{name}={_short(value)}", expected="a number or an array", fix=f"pass {name} as an array of floats"
        ) from error
    if not jnp.issubdtype(array.dtype, jnp.floating):
        raise DataError(
            given=f"{name} of type {array.dtype}",
            expected="real floating-point numbers",
            fix=f"convert it: {name}.astype(float)",
        )
    broken = _broken(value if isinstance(value, np.ndarray) else array, rules)
    if broken is not None:
        worst, words = broken
        raise DataError(
            given=f"{name} with the value {worst}",
            expected=f"{name} {words}, as the kernel declares it",
            fix=f"pass {name} {words}, or declare the symbol without this assumption",
        )
    return array


def _block_arrays(name: str, value, rules: Mapping) -> dict:
    """One array for each block of a product."""
    if not isinstance(value, Mapping) or set(value) != set(rules):
        given = f"a dict of {', '.join(map(str, value)) or 'nothing'}" if isinstance(value, Mapping) else _short(value)
        raise DataError(
            given=f"{name}: {given}",
            expected=f"a dict with one array for each block: {', '.join(rules)}",
            fix=f"pass {{{', '.join(f'"{block}": ...' for block in rules)}}}",
        )
    return {block: _floats(f"{name}[{block!r}]", value[block], rules[block]) for block in value}


def checked_parameters(params: dict, rules: Mapping[str, Sequence[str]]) -> dict:
    """The parameters, when their names are those of the kernel and their values admissible. Raises ParameterError."""
    unknown, missing = sorted(set(params) - set(rules)), sorted(set(rules) - set(params))
    if unknown or missing:
        trouble = [f"unknown: {', '.join(unknown)}"] * bool(unknown) + [f"missing: {', '.join(missing)}"] * bool(
            missing
        )
        call = ", ".join(f"{p}=..." for p in rules)
        raise ParameterError(
            given=f"{', '.join(sorted(params)) or 'no parameters'} ({'; '.join(trouble)})",
            expected=f"the parameters {', '.join(rules) or 'none'}",
            fix=f"pass {call}" if call else "pass no parameters",
        )
    return {name: _admissible(name, value, rules[name]) for name, value in params.items()}


def _admissible(name, value, rules):
    if isinstance(value, (str, bytes)) or value is None:
        raise ParameterError(given=f"{name}={value!r}", expected="a number or an array", fix=f"pass {name}=1.0, say")
    if isinstance(value, jax.core.Tracer):
        return value
    numbers = np.asarray(value)
    if numbers.dtype.kind not in "fiu" and not jnp.issubdtype(numbers.dtype, jnp.floating):
        raise ParameterError(
            given=f"{name} of type {numbers.dtype}",
            expected="a real number or array",
            fix=f"pass {name} as a float",
        )
    if rules and np.isnan(numbers).any():
        raise ParameterError(
            given=f"{name}=nan", expected=f"{name} {_RULES[rules[0]][-1]}", fix=f"pass a number as {name}"
        )
    broken = _broken(numbers, rules)
    if broken is not None:
        worst, words = broken
        raise ParameterError(given=f"{name}={worst}", expected=f"{name} {words}", fix=f"pass {name} {words}")
    return float(value) if isinstance(value, (int, np.integer)) else jnp.asarray(value) if numbers.ndim else value


def _broken(value, rules: Sequence[str]) -> tuple[float, str] | None:
    """The worst entry and the rule that it breaks; None for what is admissible, or traced."""
    if isinstance(value, jax.core.Tracer) or not np.size(value):
        return None
    for rule in rules:
        by_numpy, by_jax, breaks, words = _RULES[rule]
        with jax.ensure_compile_time_eval():  # a constant may meet us while something else is traced
            worst = float(by_numpy(value, axis=None) if isinstance(value, np.ndarray) else by_jax(value))
        if breaks(worst):
            return worst, words
    return None


def _short(value) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}..."

"""Functions of a program's log joint, compiled once for each program text.

    joint = Joint(target);    joint(descend, key, start, scale) == descend(log_joint, key, start, scale), compiled

    cached(fn, *args) == fn(*args), compiled

The data and the network's weights are arguments of the compiled code (`staged` in `target.py`), so another observation
of the same shape, or another fit of the same network, compiles nothing. The last KEPT functions are kept.
"""

from collections import OrderedDict
from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp

from symdsm.inference.target import Target, staged

__all__ = ["Joint", "cached"]

KEPT = 96
_COMPILED: OrderedDict[tuple, Callable] = OrderedDict()


def _kept(name: tuple, fn: Callable) -> Callable:
    """The compiled function under this name: `fn`, or the one that came first."""
    if name not in _COMPILED:
        _COMPILED[name] = jax.jit(fn)
        while len(_COMPILED) > KEPT:
            _COMPILED.popitem(last=False)
    _COMPILED.move_to_end(name)
    return _COMPILED[name]


def cached(fn: Callable, *args):
    """fn(*args), compiled once for each text; `fn` may close over data."""
    text, constants, pure = staged(fn, *args)
    return _kept((text,), pure)(constants, *args)


class Joint:
    """log joint(theta, u) of a target; with `weighed`, log joint(theta, u, power of the likelihood).

    What a call returns goes through `record`, where there is one: record(call, *args) == call(*args), or what that was
    when the run was last here.
    """

    record: Callable | None = None

    def __init__(self, target: Target, weighed: bool = False):
        zero = jnp.zeros(())
        example = (jnp.zeros(target.size), zero, zero) if weighed else (jnp.zeros(target.size), zero)
        self.text, _, _ = staged(jax.value_and_grad(target.log_joint), *example)
        _, self.constants, self._pure = staged(target.log_joint, *example)

    def __call__(self, fn: Callable, *args, static: tuple = ()):
        """fn(log_joint, *static, *args), compiled; `fn` is a function of a module, so that it can be recognised."""
        call = self._compiled(fn, static)
        return call(*args) if self.record is None else self.record(call, *args)

    def value(self, *args):
        """log joint at one point, compiled, not recorded."""
        return self._compiled(_value)(*args)

    def _compiled(self, fn, static=()):
        pure = self._pure
        run = _kept((self.text, fn, static), lambda constants, *args: fn(partial(pure, constants), *static, *args))
        return partial(run, self.constants)


def _value(log_joint, *args):
    return log_joint(*args)

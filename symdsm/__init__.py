"""symdsm: from a noise kernel declared in SymPy to a posterior you can trust.

Every public name lives here and loads on first use (PEP 562), so that `import symdsm` costs about what
`import jax, sympy` costs.
"""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from symdsm.kernel import Kernel as Kernel

__version__ = "0.1.0"

_HOME = {
    "Kernel": "kernel",
}

__all__ = ["__version__", *_HOME]


def __getattr__(name: str):
    if name not in _HOME:
        raise AttributeError(f"module 'symdsm' has no attribute {name!r}; it has {', '.join(__all__)}")
    value = getattr(_import_module(f"symdsm.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__():
    return sorted({*globals(), *__all__})

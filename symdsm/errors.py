"""What can go wrong, in words.

Every error of symdsm says three things: what was given, what was expected, and what to type. Each class takes
them as keywords, so that none can be forgotten:

    raise ParameterError(given="sigma=-1.0", expected="sigma > 0", fix="pass a positive sigma")
"""

__all__ = [
    "CodegenError",
    "DataError",
    "DeclarationError",
    "DerivationError",
    "EnergyRequired",
    "FileError",
    "FitError",
    "ParameterError",
    "RunError",
    "SamplingError",
    "ShapeError",
    "SymdsmError",
    "ValidityError",
]


class SymdsmError(Exception):
    """Base class; `given`, `expected` and `fix` stay readable as attributes."""

    def __init__(self, *, given: str, expected: str, fix: str):
        self.given, self.expected, self.fix = given, expected, fix
        super().__init__(f"Given: {given}\nExpected: {expected}\nTo fix: {fix}")

    def __reduce__(self):
        return _rebuild, (type(self), self.given, self.expected, self.fix)


def _rebuild(cls, given, expected, fix):
    return cls(given=given, expected=expected, fix=fix)


class DeclarationError(SymdsmError, ValueError):
    """A kernel that is not a kernel: wrong symbols, discrete noise, no density."""


class DerivationError(SymdsmError, ValueError):
    """A quantity that cannot be derived from the declaration (a level score without a level, say)."""


class CodegenError(SymdsmError, ValueError):
    """An expression that has no JAX form."""


class ParameterError(SymdsmError, TypeError):
    """An unknown, missing or inadmissible kernel parameter."""


class ShapeError(SymdsmError, ValueError):
    """Arrays whose shapes do not fit together."""


class DataError(SymdsmError, ValueError):
    """Data that a kernel or a network cannot take: NaN, outside the support, integers."""


class ValidityError(SymdsmError, ValueError):
    """Denoising score matching does not hold for this kernel."""


class EnergyRequired(SymdsmError, TypeError):
    """A Metropolis-adjusted sampler was given a score that is not the gradient of an energy."""


class FitError(SymdsmError, RuntimeError):
    """Training that cannot start or go on."""


class SamplingError(SymdsmError, RuntimeError):
    """Sampling that cannot start or that never reached its target."""


class RunError(SymdsmError, RuntimeError):
    """A run folder that cannot be used."""


class FileError(RunError, FileExistsError):
    """A file that is in the way and was not written by symdsm."""

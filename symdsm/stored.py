"""A kernel from its stored declaration: the call of the constructor that its source names."""

from symdsm.errors import DeclarationError

__all__ = ["rebuild"]

_CONSTRUCTORS = {"random": "from_random", "density": "from_density", "sde": "from_sde"}


def rebuild(kernel_class: type, source: tuple):
    """The kernel that a source describes, (kind, arguments); raises DeclarationError for an unknown kind.

    A mixture's background is the law itself.
    """
    kind, *rest = source
    if kind == "law":
        return rest[0]
    if kind == "change":
        inner, moved, clean = rest
        symbol = next(s for s in moved.free_symbols if s.name == "y")
        return rebuild(kernel_class, inner).change(lambda value: moved.xreplace({symbol: value}), clean)
    if kind == "mixture":
        return kernel_class.mixture({rebuild(kernel_class, part): weight for part, weight in rest[0]})
    if kind == "product":
        return kernel_class.product({name: rebuild(kernel_class, block) for name, block in rest[0].items()})
    if kind not in _CONSTRUCTORS:
        raise DeclarationError(
            given=f"a stored declaration of kind {kind!r}",
            expected=f"one of {', '.join([*_CONSTRUCTORS, 'change', 'mixture', 'product'])}",
            fix="write it again with Kernel.to_json of this version",
        )
    return getattr(kernel_class, _CONSTRUCTORS[kind])(*rest)

"""Special functions as the text of one standalone module, holding only what is asked for.

The definitions of this package form a graph: each top-level statement uses names that others define. `source` walks
it from the names wanted and prints the statements reached, in the order of the files, without the relative imports.
Names are therefore unique over the files of this package.
"""

import ast
from functools import cache
from importlib import resources

_FILES = (
    "arrays",
    "elementary",
    "normal",
    "gammas",
    "quadrature",
    "bessel_i",
    "bessel_k",
    "incomplete_gamma",
    "incomplete_beta",
    "kummer",
    "wrapped",
    "circular",
    "quantile",
)


def source(names) -> str:
    """The text of a module that defines these functions and imports only jax; the same names give the same text.

    **Arguments**: names, an iterable of function names of this package.
    **Raises**: KeyError for a name that is not defined here.
    """
    chunks, owner = _definitions()
    reached: set[int] = set()
    waiting = [owner[name] for name in sorted(names)]
    while waiting:
        index = waiting.pop()
        if index not in reached:
            reached.add(index)
            waiting.extend(owner[used] for used in chunks[index].uses if used in owner)
    kept = [chunks[i] for i in sorted(reached)]
    used = set().union(*(chunk.uses for chunk in kept)) if kept else set()
    imports = ["import jax"] if "jax" in used else []
    imports += ["import jax.numpy as jnp"] if "jnp" in used else []
    imports += ["import jax.scipy.special as jsp"] if "jsp" in used else []
    parts = [
        '"""Special functions for the module beside this one. Needs jax only."""',
        "\n".join(imports),
    ]
    text = "\n\n".join(parts)
    before_is_constant = False
    for chunk in kept:
        gap = "\n" if before_is_constant and chunk.constant else "\n\n\n"
        text += ("\n\n" if chunk is kept[0] and chunk.constant else gap) + chunk.text
        before_is_constant = chunk.constant
    return text + "\n"


class _Chunk:
    """One top-level statement: its text (with the comment lines above it), and the names that it uses."""

    def __init__(self, text, uses, constant):
        self.text, self.uses, self.constant = text, uses, constant


@cache
def _definitions():
    chunks, owner = [], {}
    for file in _FILES:
        text = (
            resources.files(__package__)
            .joinpath(f"{file}.py")
            .read_text(encoding="utf-8")
        )
        lines = text.splitlines()
        for node in ast.parse(text).body:
            defined = _defined(node)
            if not defined:
                continue
            first = min(
                [node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))]
            )
            while lines[first - 2].startswith("#"):
                first -= 1
            uses = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
            for name in defined:
                if name in owner:
                    raise ValueError(
                        f"{name} is defined twice in the special functions"
                    )
                owner[name] = len(chunks)
            body = "\n".join(lines[first - 1 : node.end_lineno])
            chunks.append(
                _Chunk(body, uses - set(defined), isinstance(node, ast.Assign))
            )
    return chunks, owner


def _defined(node):
    """The names that a top-level statement defines; none for imports and docstrings."""
    if isinstance(node, ast.FunctionDef):
        return [node.name]
    if isinstance(node, ast.Assign):
        return [
            n.id
            for target in node.targets
            for n in ast.walk(target)
            if isinstance(n, ast.Name)
        ]
    return []

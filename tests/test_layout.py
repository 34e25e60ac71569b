"""The house rules, read from the source: imports go one way, files stay short, nothing is half done."""

import ast
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "symdsm"
ROOMS = ("symbolic", "codegen", "learning", "inference", "diagnostics")
SHARED = {"errors"}
FILES = sorted(PACKAGE.rglob("*.py"))
LONGEST = 420

# What a room must never load, whatever its neighbours do.
FORBIDDEN = {
    "symbolic": {"jax", "jaxlib", "equinox", "optax", "numpyro", "arviz", "diffrax"},
    "codegen": {"equinox", "optax", "numpyro", "arviz", "diffrax"},
    "learning": {"sympy", "mpmath", "numpyro", "arviz"},
    "inference": {"sympy", "mpmath"},
    "diagnostics": {"sympy", "mpmath"},
}


def imported(source: str, package: str = "symdsm"):
    """Every module that the source may import: at the top, inside functions, relative, or by name.

    `package` is the dotted package that holds the source, for relative imports.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            base = ".".join(parts[: len(parts) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module) if part)
            yield from (f"{module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and node.args:
            name = ast.unparse(node.func).split(".")[-1].lstrip("_")
            first = node.args[0]
            if name in {"import_module", "__import__"} and isinstance(first, ast.Constant):
                yield str(first.value)


def trespasses(room: str, module: str) -> str | None:
    """Why `room` may not import `module`, or None when it may."""
    head, *rest = module.split(".")
    if head in FORBIDDEN[room]:
        return f"{room} must not know {head}"
    if head != "symdsm":
        return None
    target = rest[0] if rest else ""
    if target in ROOMS:
        if ROOMS.index(target) > ROOMS.index(room):
            return f"{room} reaches to its right, into {target}"
        return None
    return None if target in SHARED else f"{room} imports the front: {module}"


def in_rooms():
    return [path for path in FILES if path.relative_to(PACKAGE).parts[0] in ROOMS]


@pytest.mark.parametrize("path", in_rooms(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_one_way(path):
    parts = path.relative_to(PACKAGE).parts
    package = ".".join(("symdsm", *parts[:-1]))
    reasons = [trespasses(parts[0], module) for module in imported(path.read_text(), package)]
    assert not [reason for reason in reasons if reason]


@pytest.mark.parametrize(
    ("room", "source", "word"),
    [
        ("symbolic", "import jax.numpy as jnp", "jax"),
        ("codegen", "from symdsm.learning import fit", "right"),
        ("codegen", "from ..learning import fit", "right"),
        ("codegen", "def f():\n    from symdsm import inference", "right"),
        ("learning", "import importlib\nimportlib.import_module('symdsm.inference.priors')", "right"),
        ("learning", "import sympy", "sympy"),
        ("inference", "from symdsm.kernel import Kernel", "front"),
        ("inference", "from symdsm import Kernel", "front"),
        ("inference", "import symdsm", "front"),
        ("diagnostics", "from ..runs import Run", "front"),
    ],
)
def test_the_reader_of_imports_sees_each_trespass(room, source, word):
    reasons = [trespasses(room, module) for module in imported(source, f"symdsm.{room}")]
    assert any(reason and word in reason for reason in reasons)


@pytest.mark.parametrize(
    ("room", "source"),
    [
        ("inference", "from symdsm.errors import SamplingError"),
        ("inference", "from ..learning.fit import Fit"),
        ("diagnostics", "from symdsm import errors"),
        ("symbolic", "from .declaration import Declaration"),
    ],
)
def test_the_reader_of_imports_lets_the_allowed_pass(room, source):
    assert not any(trespasses(room, module) for module in imported(source, f"symdsm.{room}"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_files_are_short_and_finished(path):
    text = path.read_text()
    assert text.count("\n") <= LONGEST
    assert not re.search(r"raise NotImplementedError|\bTODO\b|\bFIXME\b|\bXXX\b", text)


def test_every_module_begins_with_its_docstring():
    sources = {path: path.read_text() for path in FILES}
    assert not [path for path, text in sources.items() if text.strip() and not ast.get_docstring(ast.parse(text))]


def test_every_room_exists():
    assert all((PACKAGE / room / "__init__.py").is_file() for room in ROOMS)

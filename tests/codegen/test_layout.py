"""The layout of emitted code: what ruff makes of the same statements, whatever their length, and the same meaning."""

import ast
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from symdsm.codegen import layout
from symdsm.codegen.layout import formatted
from symdsm.errors import CodegenError

RUFF = shutil.which("ruff", path=str(Path(sys.executable).parent)) or shutil.which("ruff")

TABLE = {
    "x = (a+b)*c": "x = (a + b) * c",
    "x = a-(b-c)": "x = a - (b - c)",
    "x = (a/b)/(c*d)": "x = a / b / (c * d)",
    "x = -(a**2)": "x = -(a**2)",
    "x = a**-b": "x = a**-b",
    "x = f(a)**(b+1)": "x = f(a) ** (b + 1)",
    "x = (a@b)/c": "x = (a @ b) / c",
    "x = (a>0)&(b<1)": "x = (a > 0) & (b < 1)",
    "x = ~((a>0)|(b<1))": "x = ~((a > 0) | (b < 1))",
    "x = a[..., None][:n-1, 0]": "x = a[..., None][: n - 1, 0]",
    "x = {'a': 1, 'b': f(y['b'], k=2)}": 'x = {"a": 1, "b": f(y["b"], k=2)}',
    "x = a if b else c": "x = a if b else c",
    "x += a": "x += a",
    "return_ = f(*[g(s) for s in a])": "return_ = f(*[g(s) for s in a])",
}


@pytest.mark.parametrize("source", TABLE)
def test_short_statements(source):
    assert formatted(source) == TABLE[source] + "\n"


def test_blank_lines_and_long_signatures():
    source = '''"""Text."""
import jax
import special
def f(aaaaaaaaaaaaaaaaaaaa: int, bbbbbbbbbbbbbbbbbbbbbbbbbbb: int, /, *, cccccccccccccccccc: int) -> int:
    """f."""
    def g(x):
        return x
    return g(aaaaaaaaaaaaaaaaaaaa)
'''
    assert (
        formatted(source)
        == '''"""Text."""

import jax

import special


def f(
    aaaaaaaaaaaaaaaaaaaa: int, bbbbbbbbbbbbbbbbbbbbbbbbbbb: int, /, *, cccccccccccccccccc: int
) -> int:
    """f."""

    def g(x):
        return x

    return g(aaaaaaaaaaaaaaaaaaaa)
'''.replace(
            "    aaaaaaaaaaaaaaaaaaaa: int, bbbbbbbbbbbbbbbbbbbbbbbbbbb: int, /, *, cccccccccccccccccc: int\n",
            "    aaaaaaaaaaaaaaaaaaaa: int,\n    bbbbbbbbbbbbbbbbbbbbbbbbbbb: int,\n    /,\n    *,\n"
            "    cccccccccccccccccc: int,\n",
        )
    )


def expression(rng, depth):
    """A random expression of the kind that kernels make."""
    if depth == 0:
        return rng.choice(["y", "sigma", "residual", "inverse_nu", "2", "0.5", "jnp.pi"])
    one, two, three = (expression(rng, rng.randrange(depth)) for _ in range(3))
    pattern = rng.choice(
        ["({0}) + ({1})", "({0}) - ({1})", "({0}) * ({1})", "({0}) / ({1})", "-({0})", "jnp.log({0})", "({0})**2",
         "jnp.where({2} > 0, {0}, {1})", "special.lse({0}, {1}, {2})", "({0}) + ({1}) * ({2})"]
    )  # fmt: skip
    return pattern.format(one, two, three)


def statements(count):
    rng = random.Random(8)
    return [f"def f_{k}(y):\n    {rng.choice(['return', 'value ='])} {expression(rng, 6)}\n" for k in range(count)]


@pytest.mark.skipif(RUFF is None, reason="ruff is not installed")
def test_ruff_leaves_random_statements_alone(tmp_path):
    path = tmp_path / "random.py"
    source = "\n".join(statements(400))
    path.write_text(formatted(source))
    assert ast.dump(ast.parse(path.read_text())) == ast.dump(ast.parse(source))
    assert max(map(len, path.read_text().split("\n"))) <= 88
    done = subprocess.run(
        [RUFF, "format", "--diff", "--isolated", "--no-cache", str(path)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout[-4000:]


def test_a_printer_that_changes_the_meaning_is_caught(monkeypatch):
    monkeypatch.setattr(layout, "_least", lambda e, place: 0)
    with pytest.raises(CodegenError, match="syntax tree"):
        formatted("x = (a + b) * c")

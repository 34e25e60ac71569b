"""The written module: the same bytes everywhere, and it runs where neither SymPy nor symdsm can be imported."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import scipy.stats as scs
import sympy as sp
import sympy.stats as st

from symdsm.codegen.build import build_program, write_module
from symdsm.errors import CodegenError, FileError, RunError
from symdsm.symbolic.constructors import from_density, from_random

ROOT = Path(__file__).parents[2]
x, y = sp.symbols("x y", real=True)
xp, L, s = sp.symbols("x L s", positive=True)

PRINT = """
import sympy as sp, sympy.stats as st
from symdsm.codegen.build import module_source
from symdsm.symbolic.constructors import from_density, from_random
x, y = sp.symbols("x y", real=True)
xp, L, s, w = sp.symbols("x L s w", positive=True)
e = st.Normal("e", 0, 1)
f = w * sp.exp(-((y - x) / s) ** 2 / 2) / s + (1 - w) * sp.exp(-((y - x) / s) ** 2 / 200) / (10 * s)
for declaration in (
    from_random(xp * st.Gamma("g", L, 1 / L), xp, L),
    from_random((x + s * e) ** 2, x, s),
    from_density(f, y, x, None, s),
):
    print(module_source(declaration, "digest"))
"""


def run(code, *arguments, **environment):
    env = {**os.environ, "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run(
        [sys.executable, *arguments, "-c", code], env=env, capture_output=True, text=True, check=True, timeout=240
    ).stdout


@pytest.mark.slow
def test_same_bytes_under_two_hash_seeds():
    one, two = (run(PRINT, PYTHONHASHSEED=seed) for seed in ("1", "271828"))
    assert one == two and one.count("def log_prob") == 3


ALONE = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("sympy", "symdsm", "mpmath"):
            raise ImportError(name)
sys.meta_path.insert(0, Refuse())
sys.path.insert(0, {folder!r})
import jax.numpy as jnp, speckle
print(float(speckle.log_prob(jnp.float32(1.3), jnp.float32(0.9), L=4.0)))
"""


def test_written_module_runs_alone(tmp_path):
    path = write_module(from_random(xp * st.Gamma("g", L, 1 / L), xp, L), "digest", tmp_path / "speckle.py")
    assert (tmp_path / "speckle_special.py").exists() and "symdsm.codegen" not in path.read_text()
    value = float(run(ALONE.format(folder=str(tmp_path)), PYTHONPATH=""))
    assert value == pytest.approx(scs.gamma.logpdf(1.3, 4, 0, 0.9 / 4), rel=1e-5)


def test_a_file_of_somebody_else_is_left_alone(tmp_path):
    declaration = from_random(st.Normal("y", x, s), x)
    (tmp_path / "mine.py").write_text("print('mine')\n")
    for name, words in (("mine.py", "not written by symdsm"), ("kernel.txt", "module"), ("2fast.py", "module")):
        with pytest.raises(RunError, match=words):
            write_module(declaration, "digest", tmp_path / name)
    with pytest.raises(FileExistsError):
        write_module(declaration, "digest", tmp_path / "mine.py")
    assert (tmp_path / "mine.py").read_text() == "print('mine')\n"
    path = write_module(declaration, "digest", tmp_path / "normal.py")
    assert write_module(declaration, "digest", path) == path


def test_a_helper_of_somebody_else_is_left_alone(tmp_path):
    declaration = from_random(xp * st.Gamma("g", L, 1 / L), xp, L)
    (tmp_path / "speckle_special.py").write_text("mine = 1\n")
    with pytest.raises(FileError, match="speckle_special.py"):
        write_module(declaration, "digest", tmp_path / "speckle.py")
    assert not (tmp_path / "speckle.py").exists()
    (tmp_path / "speckle_special.py").unlink()
    path = write_module(declaration, "digest", tmp_path / "speckle.py")
    assert write_module(declaration, "digest", path) == path


def test_a_density_without_a_jax_form_is_refused():
    odd = from_density(-sp.Abs(y - x) - sp.besselj(1, (y - x) ** 2) ** 2, y, x, None, None, True)
    with pytest.raises(CodegenError, match="besselj"):
        build_program(odd, "digest")

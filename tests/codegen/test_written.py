"""Written modules of all families: the same bytes under every hash seed, ruff's layout, no SymPy needed.

Two processes with different hash seeds write every family, a mixture, a product and a transform; the tests look at
the files.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import symdsm as sd

ROOT = Path(__file__).parents[2]
RUFF = shutil.which("ruff", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
QUICK = ("laplace", "random_walk", "critically_damped")

WRITE = """
import sys
from pathlib import Path
import sympy as sp, sympy.stats as st, symdsm as sd
x, s, w, L = sp.Symbol("x", real=True), *sp.symbols("s w L", positive=True)
normal = sd.Kernel.from_random(st.Normal("y", x, s), clean=x, level=s)
own = {
    "mixture": lambda: sd.Kernel.mixture({normal: 1 / (1 + w), normal.subs({s: 10 * s}): w / (1 + w)}),
    "product": lambda: sd.Kernel.product({"speed": sd.families.speckle().subs({L: 1 / s**2}), "place": normal}),
    "square": lambda: sd.Kernel.from_random((x + s * st.Normal("e", 0, 1)) ** 2, clean=x, level=s),
}
folder, names = Path(sys.argv[1]), sys.argv[2:] or [*sd.families.__all__, *own]
for name in names:
    kernel = (own.get(name) or getattr(sd.families, name))()
    kernel.write(folder / f"{name}.py")
"""

# Every module is loaded where SymPy, mpmath and symdsm cannot be found; its functions are there and draw.
LOAD = """
import importlib, sys
from pathlib import Path
import jax.numpy as jnp

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("sympy", "symdsm", "mpmath"):
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Refuse())
sys.path.insert(0, sys.argv[1])
for name in sorted(p.stem for p in Path(sys.argv[1]).glob("*.py")):
    module = importlib.import_module(name)
    if not name.endswith("_special"):
        assert callable(module.log_prob) and callable(module.score), name
        print(name)
import laplace
assert abs(float(laplace.log_prob(jnp.float32(1.5), 0.5, sigma=2.0)) + 0.5 + jnp.log(4.0)) < 1e-6
"""


def run(code, *arguments, **environment):
    env = {**os.environ, "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(ROOT), **environment}
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], env=env, capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def ruff(folder, *arguments):
    """ruff as its user would call it: in the project's folder, where the helper modules are neighbours."""
    return subprocess.run([RUFF, *arguments, "."], cwd=folder, capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Every module, written by two processes."""
    return [_folder(tmp_path_factory, seed) for seed in ("1", "271828")]


def _folder(tmp_path_factory, seed, *names):
    folder = tmp_path_factory.mktemp(f"seed{seed}")
    run(WRITE, folder, *names, PYTHONHASHSEED=seed)
    return folder


def _check_layout(folder, count):
    assert len(list(folder.glob("*.py"))) >= count
    for arguments in (
        ("format", "--check", "--isolated"),
        ("check", "--isolated"),
        ("check", "--isolated", "--line-length", "120", "--select", "E,F,I,UP,B,W"),
    ):
        done = ruff(folder, *arguments, "--no-cache")
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-500:]


@pytest.mark.skipif(RUFF is None, reason="ruff is not installed")
def test_layout_of_a_few(tmp_path):
    for name in QUICK:
        getattr(sd.families, name)().write(tmp_path / f"{name}.py")
    _check_layout(tmp_path, len(QUICK))


@pytest.mark.slow
@pytest.mark.skipif(RUFF is None, reason="ruff is not installed")
def test_layout_of_all(folders):
    _check_layout(folders[0], len(sd.families.__all__) + 3)


@pytest.mark.slow
def test_a_wrong_layout_is_noticed(tmp_path):
    (tmp_path / "wrong.py").write_text("import os\n\nx = { 'a':1 }\n")
    with pytest.raises(AssertionError):
        _check_layout(tmp_path, 1)


@pytest.mark.slow
def test_same_bytes_under_two_hash_seeds(folders):
    one, two = ({p.name: p.read_bytes() for p in folder.glob("*.py")} for folder in folders)
    assert one.keys() == two.keys()
    assert [name for name in one if one[name] != two[name]] == []


@pytest.mark.slow
def test_modules_need_no_sympy(folders):
    printed = run(LOAD, folders[0], PYTHONPATH="").split()
    assert set(printed) == {*sd.families.__all__, "mixture", "product", "square"}

"""`import symdsm` costs what `import jax, sympy` costs; the heavy libraries wait for their first use."""

import subprocess
import sys

import pytest

HEAVY = set("equinox optax diffrax numpyro arviz arviz_base matplotlib pandas sklearn sympy.stats".split())


def in_new_python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


def seconds(statement: str) -> float:
    return float(in_new_python(f"import time\nt = time.perf_counter()\n{statement}\nprint(time.perf_counter() - t)"))


def modules_after(statement: str) -> set[str]:
    return set(in_new_python(f"{statement}\nimport sys\nprint(*sys.modules, sep='\\n')").split())


def test_heavy_libraries_load_on_first_use():
    assert not HEAVY & modules_after("import symdsm")


def test_looking_around_loads_nothing():
    assert not HEAVY & modules_after("import symdsm; dir(symdsm); symdsm.__all__")


def test_every_public_name_exists():
    import symdsm

    assert all(getattr(symdsm, name) is not None for name in symdsm.__all__)
    assert set(symdsm.__all__) <= set(dir(symdsm))


def test_an_unknown_name_is_an_attribute_error():
    import symdsm

    with pytest.raises(AttributeError, match="no_such_name"):
        symdsm.no_such_name  # noqa: B018


@pytest.mark.slow
def test_import_takes_at_most_1_15_of_jax_and_sympy():
    """The smallest of several alternating runs: other work on the machine can only add to a time."""
    ours, theirs = [], []
    for _ in range(5):
        ours.append(seconds("import symdsm"))
        theirs.append(seconds("import jax, sympy"))
    assert min(ours) <= 1.15 * min(theirs)


def test_shape_checks_are_on_in_tests():
    """jaxtyping is switched on by `addopts`; a misspelt package there would switch it off in silence."""
    from jaxtyping import TypeCheckError

    import symdsm

    with pytest.raises(TypeCheckError):
        symdsm.geometric(0.1, 1.0).sample("not a key")

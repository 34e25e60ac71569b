"""The command that prints how long deriving takes: its table, its totals, and what a kernel that fails does to it."""

import pytest
import sympy as sp
import sympy.stats as st

import symdsm as sd
from benchmarks import deriving

x, s = sp.Symbol("x", real=True), sp.Symbol("s", positive=True)


def declare():
    return sd.Kernel.from_random(st.Normal("y", x, s), clean=x, level=s)


def refuse():
    return sd.Kernel.from_random(st.Poisson("y", s), clean=s)


@pytest.fixture
def rows(monkeypatch):
    monkeypatch.setattr(deriving, "kernels", lambda: {"ours:normal": declare, "ours:poisson": refuse})
    monkeypatch.setattr(deriving, "measured", lambda declare, compiled: deriving._steps(declare, compiled))


def test_each_step_is_timed():
    found = deriving._steps(declare, compiled=False)
    assert not found.error and set(found.seconds) == {"declare", "derive", "generate", "check"}
    assert found.total == sum(found.seconds[step] for step in deriving.STEPS) > found.seconds["derive"]
    assert 0 < found.processor


def test_the_table_and_its_totals(rows, capsys):
    assert deriving.main(["--only", "normal"]) in (0, 1)  # the machine decides
    shown = capsys.readouterr().out
    assert shown.count("ours:normal") == 2 and "poisson" not in shown
    assert "1 of 1 kernels, processor: median" in shown and "the targets are 1 s and 5 s" in shown


def test_a_kernel_that_fails_is_named_and_fails_the_command(rows, capsys):
    assert deriving.main([]) == 1
    shown = capsys.readouterr().out
    assert "declare: " in shown and "Poisson" in shown and "1 of 2 kernels, clock" in shown


def test_every_kernel_has_one_name():
    names = list(deriving.kernels())
    assert len(names) == len(set(names)) > 200

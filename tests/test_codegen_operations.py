"""The derived score needs no more operations than what XLA makes of jax.grad of the log density."""

import pytest

from benchmarks import codegen
from benchmarks.codegen_cases import CASES

QUICK = {"gaussian", "pseudo_huber", "smoothed_total_variation", "weibull"}


@pytest.mark.parametrize(
    "case", [pytest.param(c, marks=() if c.name in QUICK else pytest.mark.slow, id=c.name) for c in CASES]
)
def test_no_more_operations_than_autodiff(case):
    ours, grad, ratios = codegen.operation_ratios(case, 1000)
    assert ours[0] > 0 and grad[0] > 0
    assert all(ratio is None or ratio <= 1.1 for ratio in ratios), (ours, grad)


def test_the_command_prints_a_row_for_each_kernel_and_a_line_for_each_kind(capsys):
    assert codegen.main(["--operations", "--kernels", "gaussian", "gumbel"]) == 0
    _, *rows = capsys.readouterr().out.splitlines()
    gaussian, gumbel, arithmetic, transcendental = (row.split() for row in rows)
    assert gaussian[:2] == ["gaussian", "3.0"]  # y - x, its sign, over a variance
    assert gumbel[-1] == "1.00" and "of 2," in " ".join(arithmetic) and "1.00 of 1," in " ".join(transcendental)

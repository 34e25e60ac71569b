"""Random kernels at random arguments: never NaN or infinite inside the support where the true value is representable.

The arguments of float32 span 1e-15 to 1e15, those of float64 1e-150 to 1e150. In the narrow range, 1e-7 to 1e7 and
1e-60 to 1e60, a product of five arguments is representable, and next to nothing is lost: at most RARE of a kernel's
points, where a power such as (y/x)**a comes within a factor a of overflow. Beyond it such a product can leave the
precision's range although the value does not: at a share LOST of the points at most. `python -m benchmarks.stability`
prints the worst relative error of each kernel.
"""

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from tests.codegen.random_kernels import PRECISIONS, Trial, kernels

POINTS, RARE, LOST = 1000, 0.002, 0.06


def law(count):
    return settings(
        max_examples=count,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


def lost(kernel, points):
    """For each precision, the lost points beyond what the law allows: in the narrow range, and in all."""
    trials = [Trial(kernel, precision, points).run(checked=0) for precision in PRECISIONS]
    allowed = (RARE * points, LOST * points)
    return [
        bad for t in trials for bad, most in zip((t.lost_in_narrow, t.bad), allowed, strict=True) if len(bad) > most
    ]


@law(3)
@given(kernels())
def test_a_few_random_kernels(kernel):
    assert lost(kernel, 200) == []


@pytest.mark.slow
@law(200)
@given(kernels())
def test_two_hundred_random_kernels(kernel):
    assert lost(kernel, POINTS) == []

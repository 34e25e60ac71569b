"""Random kernels at random arguments: never NaN or infinite inside the support where the true value is representable.

The arguments of float32 span 1e-15 to 1e15, those of float64 1e-150 to 1e150. The law has no exception:

- Where the true value and every part of the formula are representable, the value is finite. The parts are the
  arguments and values of functions and the terms of sums, not the partial products: a product of up to three arguments
  alone loses nothing, because two arguments at a time stay in range. Longer products are judged in the narrow range.
- In the narrow range, 1e-7 to 1e7 and 1e-60 to 1e60, in which a product of five arguments is representable, the value
  is finite whatever its parts are, when two arguments times it are still representable. Such a value is never a lost
  power or exponential times a quotient of arguments, which would have to be larger.

`python -m benchmarks.stability` prints the worst relative error of each kernel.
"""

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from tests.codegen.random_kernels import PRECISIONS, Subject, Trial, kernels


def law(count):
    return settings(
        max_examples=count,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


def unlawful(kernel, points):
    subject = Subject(kernel)
    return [bad for p in PRECISIONS for bad in Trial(subject, p, points).run(checked=0).unlawful()]


@law(3)
@given(kernels())
def test_a_few_random_kernels(kernel):
    assert unlawful(kernel, 200) == []


@pytest.mark.slow
@law(200)
@given(kernels())
def test_two_hundred_random_kernels(kernel):
    assert unlawful(kernel, 1000) == []

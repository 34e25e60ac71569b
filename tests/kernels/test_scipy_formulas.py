"""The formulas of the SciPy rows, read by mpmath, against scipy.stats itself."""

import numpy as np
import pytest
from mpmath import mpf

from tests.kernels import scipy_half_line, scipy_line

ROWS = [*scipy_line.ROWS, *scipy_half_line.ROWS]


@pytest.mark.parametrize("case", ROWS, ids=lambda case: case.name)
def test_formula_is_scipys(case):
    x = case.clean[0]
    law, params = case.law(x, case.params), case.params
    scale = params["s"] if case.form == "additive" else x
    y = law.ppf(np.array([0.04, 0.33, 0.61, 0.95]))
    exact = {k: mpf(v) for k, v in params.items()}
    ours = [float(case.log_density(mpf(float(v)), mpf(x), exact)) for v in y]
    np.testing.assert_allclose(ours, law.base.logpdf(law.backward(y)) - np.log(scale), rtol=1e-8, atol=1e-8)


def test_a_wrong_formula_is_seen():
    case = next(c for c in ROWS if c.name == "gumbel_r")
    wrong = next(c for c in ROWS if c.name == "gumbel_l")
    with pytest.raises(AssertionError):
        test_formula_is_scipys(type(case)(**{**vars(case), "oracle": wrong.oracle}))

"""Priors, samplers, the noise level as an effect.  Knows NumPyro."""

import numpyro

# ArviZ leaves a lazy numpyro in sys.modules; if a submodule loads before it, numpyro.factor no longer works.
numpyro.__version__  # noqa: B018

"""Priors, samplers, the noise level as an effect.  Knows NumPyro."""

"""Levels, networks, objectives, training.  Knows JAX, Equinox and Optax."""

"""The rows of the registry: sympy.stats' families, SciPy's laws, and kernels known by name."""

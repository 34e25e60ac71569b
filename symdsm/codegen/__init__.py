"""From an expression to JAX source and a compiled program.  Knows SymPy and JAX."""

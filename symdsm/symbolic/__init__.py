"""Declare, derive, check.  Knows SymPy."""

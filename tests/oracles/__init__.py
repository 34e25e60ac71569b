"""Independent oracles: laws written by hand in mpmath, checked against SciPy; no symdsm and no SymPy."""

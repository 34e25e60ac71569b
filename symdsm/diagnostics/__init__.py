"""Diagnostics: can this posterior be trusted?  Knows ArviZ."""

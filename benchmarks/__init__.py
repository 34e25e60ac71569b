"""Commands that measure symdsm, alone and beside its peers."""

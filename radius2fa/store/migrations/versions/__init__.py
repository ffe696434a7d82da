"""Owns the revisions, one module each."""

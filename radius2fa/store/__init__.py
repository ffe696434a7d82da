"""Owns the tables: tokens, failures, waiting challenges, the journal, and the sealing of what is secret in them."""

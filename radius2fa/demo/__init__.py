"""Owns the demonstration: a small directory in this process, three people in it, and what is shown of them."""

"""Owns a token's life: how it is made, confirmed, brought back into step and taken away."""

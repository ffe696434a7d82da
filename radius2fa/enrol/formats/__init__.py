"""Owns the files that hold many tokens: PSKC and the CSV of four makers, and how they are told apart."""

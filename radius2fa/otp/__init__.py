"""Owns one-time codes: what a token is, which code it gives at which counter, and which counter a code stands for.

Pure: no clock, no randomness, no I/O.
"""

"""Runs the program with one thing taken out: what logins leave in the audit record. Only to measure what that costs.

python -m bench.unrecorded ARGUMENTS
"""

from radius2fa.cli.main import app
from radius2fa.store.pen import Pen

if __name__ == "__main__":
    Pen.settle = lambda *_: None
    app()

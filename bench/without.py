"""Runs the program with a part of the audit record taken out of logins. Only to measure what that part costs.

    python -m bench.without PART ARGUMENTS

`chain`: a login's row is written as it is, in no chain. `record`: no row is written.
"""

import sys

from sqlalchemy import Connection

from radius2fa.cli.main import app
from radius2fa.store.pen import _LINES, _WRITE, Pen


def unlinked(_: Pen, connection: Connection) -> None:
    """Write what the transaction has put down, without a link."""
    lines, connection.info[_LINES] = connection.info[_LINES], []
    for book, contents in lines:
        _WRITE[book].changed(connection, {**contents, "chain": None, "sequence": None, "hash": None})


PARTS = {"chain": unlinked, "record": lambda *_: None}

if __name__ == "__main__":
    Pen.settle = PARTS[sys.argv.pop(1)]
    app()

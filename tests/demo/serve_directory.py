"""Serves the demo's directory until its standard input ends: python serve_directory.py. Prints its port."""

import sys

from twisted.internet import reactor, stdio
from twisted.internet.protocol import Protocol

from radius2fa.demo.account import SERVICES, Account, Group
from radius2fa.demo.directory import DirectoryFactory

ACCOUNTS = [
    Account("alice", "Alice Liddell", "11111111-0000-4000-8000-000000000001", b"wonderland"),
    Account("carol", "Carol Hargreaves", "11111111-0000-4000-8000-000000000003", b"wonderland", disabled=True),
    Account("searcher", "The server", "11111111-0000-4000-8000-000000000009", b"finding", parent=SERVICES),
]


class UntilTheEnd(Protocol):
    def connectionLost(self, _reason: object) -> None:  # noqa: N802 - Twisted's name
        reactor.stop()


if __name__ == "__main__":
    listening = reactor.listenTCP(
        0, DirectoryFactory(ACCOUNTS, [Group("admins", (ACCOUNTS[0],))]), interface="127.0.0.1"
    )
    sys.stdout.write(f"{listening.getHost().port}\n")
    sys.stdout.flush()
    stdio.StandardIO(UntilTheEnd())
    reactor.run()

"""One directory, one ledger, one client, and the hands of whoever types: what the tests of the decision share."""

import itertools
from dataclasses import replace
from ipaddress import ip_address

from radius2fa.login.attempt import Attempt, Challenge, ClientRules, CodeMode, Outcome
from radius2fa.login.authenticate import authenticate
from radius2fa.login.case import House
from radius2fa.login.lockout import LockoutRules, place_rules
from radius2fa.login.place import place_of
from radius2fa.login.policy import Rule, Rules
from radius2fa.login.ports import Standing
from radius2fa.otp.token import Kind, Token
from radius2fa.otp.verify import Windows
from tests.fakes.directory import FakeDirectory, ForAnyClient
from tests.fakes.ledger import FakeLedger

KEY = bytes.fromhex("3132333435363738393031323334353637383930")
# TOTP of KEY, 30 s, 6 digits: step to code
CODES = {
    47251640: b"166325",
    47251645: b"063321",
    47251646: b"306773",
    47251649: b"705493",
    47251650: b"589836",
}
NOW = 47251645 * 30.0 + 7
PASSWORD = b"correct horse"
CODE = CODES[47251645]
SOURCE = "198.51.100.7"
LOCKOUT = LockoutRules(failures=5, delay=30, longest_delay=3600, lock_after=50, repeat_seconds=60)


class World:
    """Alice, who has a TOTP token of KEY, and bob, who has none, behind a client named "vpn"."""

    def __init__(self, code: CodeMode = CodeMode.APPENDED, delimiter: bytes | None = None) -> None:
        self.directory = FakeDirectory()
        self.ledger = FakeLedger()
        self.client = ClientRules("vpn", code, delimiter)
        self.now = NOW
        self._random = itertools.count(1)
        self._ids = itertools.count(1)
        self.house = House(
            directory=ForAnyClient(self.directory),
            ledger=self.ledger,
            random=lambda size: next(self._random).to_bytes(size),
            windows=Windows(totp=1, totp_resync=20, hotp=10, hotp_resync=100, resync_seconds=300),
            lockout=LOCKOUT,
            places=place_rules(LOCKOUT, address=20, client=200),
            policies=Rules.of([Rule("switches", frozenset({"switch"})), Rule("staff")]),
        )
        self.alice = self.directory.add("alice", PASSWORD)
        self.bob = self.directory.add("bob", b"bobs password")
        self.ledger.add(Token("alices", Kind.TOTP, KEY), self.alice)

    def rule(self, *rules: Rule) -> None:
        """Put other rules in the place of those that there are."""
        self.house = replace(self.house, policies=Rules.of(rules))

    def type(
        self,
        password: bytes,
        *,
        name: str = "alice",
        state: bytes | None = None,
        client: str = "",
        source: str = SOURCE,
    ) -> Outcome:
        """Make an attempt from an address, or from nowhere that is told."""
        rules = replace(self.client, name=client) if client else self.client
        address = ip_address(source) if source else None
        attempt = Attempt(f"id{next(self._ids)}", rules, name, password, state, source, address, self.now, 99.0)
        return authenticate(attempt, self.house)

    def login(self, code: bytes, *, password: bytes = PASSWORD, name: str = "alice") -> Outcome:
        """Log in as the client wants it: the code behind the password, or in answer to a challenge."""
        if self.client.code is CodeMode.CHALLENGE:
            return self.type(code, name=name, state=self.challenge(password, name=name))
        return self.type(password + code, name=name)

    def challenge(self, password: bytes = PASSWORD, *, name: str = "alice") -> bytes:
        """Make an attempt that must be answered by a challenge, and return its State."""
        outcome = self.type(password, name=name)
        assert isinstance(outcome, Challenge)
        return outcome.state

    def standing(self, subject: str) -> Standing:
        """Return what the ledger knows of somebody now."""
        return self.ledger.standing(subject, place_of(self.client.name, SOURCE, ip_address(SOURCE)), self.now)

    @property
    def failures(self) -> int:
        """How many failures in a row alice has."""
        return self.standing(self.alice).failures.count

"""People of the tests: in the directory by LDIF, with a HOTP token whose codes oathtool computes.

HOTP rather than TOTP, so that no test has to wait for the next code.
"""

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count

import pytest

from tests.servers.slapd import person_dn

AHEAD = 140  # codes that are computed at once: more than any window reaches


@dataclass
class Person:
    """Somebody in the directory, perhaps with a token."""

    uid: str
    password: bytes = field(repr=False)
    subject: str
    seed: bytes = field(repr=False)
    token: str = ""
    used: int = 0

    @property
    def dn(self) -> str:
        return person_dn(self.uid)

    @cached_property
    def codes(self) -> Sequence[bytes]:
        """The codes of the token from counter 0 on."""
        return hotp_codes(self.seed)

    def code(self) -> bytes:
        """Return the token's next code, as the button would show it."""
        self.used += 1
        return self.codes[self.used - 1]

    def typed(self) -> bytes:
        """Return the password with the next code behind it."""
        return self.password + self.code()

    def wrong_codes(self, many: int) -> list[bytes]:
        """Return codes of the right form that are not the token's, now or soon."""
        strangers = (b"%06d" % number for number in count(100_001) if b"%06d" % number not in self.codes)
        return [next(strangers) for _ in range(many)]

    def wrong_code(self) -> bytes:
        return self.wrong_codes(1)[0]


def new_seed() -> bytes:
    return os.urandom(20)


def hotp_codes(seed: bytes, digits: int = 6) -> list[bytes]:
    """Return oathtool's codes from counter 0 on."""
    return _oathtool("--hotp", f"--digits={digits}", f"--window={AHEAD}", seed=seed)


def totp_code(seed: bytes, *form: str) -> bytes:
    """Return oathtool's code of now; `form` are its options for what is not the usual."""
    (code,) = _oathtool("--totp", *form, seed=seed)
    return code


def _oathtool(*arguments: str, seed: bytes) -> list[bytes]:
    program = shutil.which("oathtool")
    if program is None:
        pytest.fail("oathtool is missing: apt-get install oathtool")
    command = [program, *arguments, "-"]
    return subprocess.run(command, input=seed.hex().encode(), capture_output=True, check=True).stdout.split()

"""Owns what a letter to a user is, and who takes letters."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail in plain text to one address. It holds no code and no secret."""

    to: str
    subject: str
    text: str


Post = Callable[[Letter], None]


def nowhere(letter: Letter) -> None:
    """Send nothing, where no mail server is configured."""

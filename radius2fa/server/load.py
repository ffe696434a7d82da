"""Owns the figures of the authentication port at one moment."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Load:
    """What the port has seen since it began, and what it is busy with.

    `requests` are counted by client, code ("access-request"), and whether they bore a Message-Authenticator; `repeats`
    by client; `drops` by cause and client, "" for an unknown one. `in_progress` requests wait for a thread or are
    worked at, `waiting` of them wait; `held` replies wait for their hour.
    """

    requests: Mapping[tuple[str, str, bool], int]
    repeats: Mapping[str, int]
    drops: Mapping[tuple[str, str], int]
    in_progress: int
    waiting: int
    held: int
    threads: int
    backlog: int

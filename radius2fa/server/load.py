"""Owns the figures of the ports at one moment."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Load:
    """What the ports have seen since they began, and what they are busy with.

    `requests` of the authentication port are counted by client, code ("access-request"), and whether they bore a
    Message-Authenticator; `repeats` by client and port; `drops` by cause, client, "" for an unknown one, and port;
    `acknowledged` accounting by client and what was reported. `in_progress` requests at the authentication port and
    `accounting_in_progress` wait for a thread or are worked at, `waiting` of both wait; `held` replies wait for their
    hour.
    """

    requests: Mapping[tuple[str, str, bool], int]
    repeats: Mapping[tuple[str, str], int]
    drops: Mapping[tuple[str, str, str], int]
    acknowledged: Mapping[tuple[str, str], int]
    in_progress: int
    accounting_in_progress: int
    waiting: int
    held: int
    threads: int
    backlog: int

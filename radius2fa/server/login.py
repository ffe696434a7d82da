"""Owns what is told of a login to whoever watches: the log, the demonstration, the figures."""

from collections.abc import Callable
from dataclasses import dataclass

from radius2fa.login.ports import Result
from radius2fa.login.reason import Reason
from radius2fa.login.stages import NO_STAGES, Stages


@dataclass(frozen=True, slots=True)
class Login:
    """One decided login. No secret in it.

    `address` is the RADIUS client's; `name` is as typed; `milliseconds` run from the arrival of the datagram to the
    decision, without the delay that every Reject gets. Of a login that was accepted, `policy` is the rule that was
    applied, None for none, and `factor` the kind of the token that answered, or why none had to. `stages` are the parts
    of the milliseconds; that of the store includes the commit, which the audit record cannot know.
    """

    id: str
    when: float
    client: str
    name: str
    address: str
    result: Result
    reason: Reason | None
    subject: str | None
    token: str | None
    milliseconds: float
    policy: str | None = None
    factor: str | None = None
    stages: Stages = NO_STAGES


Observer = Callable[[Login], None]

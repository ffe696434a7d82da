"""Owns the translation between RADIUS and the decision: a request becomes an attempt, an outcome becomes a reply."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

from radius2fa.config.texts import Texts
from radius2fa.login.attempt import Accept, Attempt, Challenge, ClientRules, Outcome
from radius2fa.login.authenticate import authenticate, turn_away
from radius2fa.login.case import House
from radius2fa.login.reason import Reason
from radius2fa.login.stages import Stage, Stopwatch
from radius2fa.radius import credentials, reply
from radius2fa.radius.attributes import ReplyAttribute
from radius2fa.radius.packet import Request
from radius2fa.radius.reply import Reply


@dataclass(frozen=True, slots=True)
class Answers:
    """What replies are made of beside the decision. `texts` are those of each client, by its name.

    With `send_class`, an Accept names the attempt, for the client's accounting.
    """

    texts: Mapping[str, Texts]
    send_class: bool = False


@dataclass(frozen=True, slots=True)
class Arrival:
    """When a request came: Unix seconds, and the monotonic second after which nobody waits for its answer.

    `watch` has run since then.
    """

    id: str
    when: float
    deadline: float
    watch: Stopwatch = field(default_factory=Stopwatch, repr=False, compare=False)


_FAULTS = {
    credentials.Fault.BAD_NAME: Reason.BAD_NAME,
    credentials.Fault.NUL_IN_PASSWORD: Reason.BAD_PASSWORD,
    credentials.Fault.CHARSET: Reason.CHARSET,
    credentials.Fault.UNSUPPORTED: Reason.UNSUPPORTED,
}


def decide(request: Request, rules: ClientRules, arrival: Arrival, house: House) -> Outcome:
    """Read the request and decide on it. Runs whole in one worker thread.

    Raises:
        Unavailable: answer with silence.

    """
    arrival.watch.lap(Stage.QUEUE)
    read = credentials.read(request)
    if isinstance(read, credentials.Fault):
        name = credentials.name_of(request)
        attempt = Attempt(arrival.id, rules, name, b"", None, "", None, arrival.when, arrival.deadline, arrival.watch)
        return turn_away(attempt, _FAULTS[read], house)
    attempt = Attempt(
        arrival.id,
        rules,
        read.name,
        read.password,
        read.state,
        read.source,
        read.address,
        arrival.when,
        arrival.deadline,
        arrival.watch,
    )
    return authenticate(attempt, house)


def reply_to(outcome: Outcome, client: str, arrival: Arrival, answers: Answers) -> Reply:
    """Build the reply. To one client, every Reject is the same, whatever its reason and whoever is refused."""
    match outcome:
        case Accept(reply=earned):
            attributes = cast("tuple[ReplyAttribute, ...]", earned)  # as server.replies made them
            return reply.accept(attributes, arrival.id.encode() if answers.send_class else None)
        case Challenge(state, seconds):
            return reply.challenge(answers.texts[client].prompt, state, seconds)
        case _:
            return reply.reject(answers.texts[client].refusal)

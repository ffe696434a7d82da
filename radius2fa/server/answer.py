"""Owns the translation between RADIUS and the decision: a request becomes an attempt, an outcome becomes a reply."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from radius2fa.login.attempt import Accept, Attempt, Challenge, ClientRules, Outcome
from radius2fa.login.authenticate import House, authenticate, turn_away
from radius2fa.login.reason import Reason
from radius2fa.radius import credentials, reply
from radius2fa.radius.attributes import ReplyAttribute
from radius2fa.radius.packet import Request
from radius2fa.radius.reply import Reply


@dataclass(frozen=True, slots=True)
class Answers:
    """The texts and attributes of replies, ready-made at start-up. `policies` gives those of a policy, by its name."""

    prompt: str
    refusal: str
    send_class: bool = False
    policies: Mapping[str, tuple[ReplyAttribute, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Arrival:
    """When a request came: Unix seconds, and the monotonic second after which nobody waits for its answer."""

    id: str
    when: float
    deadline: float


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
    read = credentials.read(request)
    if isinstance(read, credentials.Fault):
        name = credentials.name_of(request)
        attempt = Attempt(arrival.id, rules, name, b"", None, "", arrival.when, arrival.deadline)
        return turn_away(attempt, _FAULTS[read], house)
    attempt = Attempt(
        arrival.id, rules, read.name, read.password, read.state, read.source, arrival.when, arrival.deadline
    )
    return authenticate(attempt, house)


def reply_to(outcome: Outcome, arrival: Arrival, answers: Answers) -> Reply:
    """Build the reply. Every Reject is the same, whatever its reason."""
    match outcome:
        case Accept(policy=policy):
            attributes = answers.policies[policy] if policy is not None else ()
            return reply.accept(attributes, arrival.id.encode() if answers.send_class else None)
        case Challenge(state, seconds):
            return reply.challenge(answers.prompt, state, seconds)
        case _:
            return reply.reject(answers.refusal)

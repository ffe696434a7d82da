"""Owns the rules by which the portal itself lets people in: who may come with the password alone, to enrol."""

from radius2fa.config.model import Portal
from radius2fa.login.attempt import ClientRules, CodeMode
from radius2fa.login.policy import Rule, Rules, SecondFactor
from radius2fa.otp.token import Kind

NAME = "portal"  # of the client, in the journal; no [[client]] may have it
CLIENT = ClientRules(NAME, CodeMode.CHALLENGE)
ANYTHING = frozenset(Kind)  # an invitation too, which no other rule takes

FIRST_ENROLMENT = frozenset({"not-enrolled", Kind.INVITATION.value})  # what lets somebody in to enrol, and no further

# For whoever has signed in: an invitation lets nobody change anything.
CONFIRMING = Rules.of([Rule(NAME, clients=frozenset({NAME}), kinds=ANYTHING - {Kind.INVITATION})])


def portal_rules(portal: Portal) -> Rules:
    """Return the rules: a second factor of everybody who has one, and of all others what the settings ask for.

    With "open", whoever has no token comes in by the password, within the networks and until the day that are set. An
    invitation from the helpdesk lets anybody in, also to whom that does not apply; but not where enrolment is "closed".
    A bypass is for applications: here it would let whoever has the password give themselves a token for good.
    """
    kinds = ANYTHING - {Kind.INVITATION} if portal.enrolment == "closed" else ANYTHING
    required = Rule(NAME, clients=frozenset({NAME}), kinds=kinds, bypassable=False)
    if portal.enrolment != "open":
        return Rules.of([required])
    first = Rule(
        "portal-enrolment",
        clients=frozenset({NAME}),
        networks=portal.enrolment_networks,
        second_factor=SecondFactor.IF_ENROLLED,
        until=None if portal.enrolment_until is None else portal.enrolment_until.timestamp(),
        kinds=kinds,
        bypassable=False,
    )
    return Rules.of([first, required])

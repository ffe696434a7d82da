"""Owns the wiring: configuration in, the parts that the server runs on out."""

import secrets
from collections.abc import Callable, Iterable

from radius2fa.config.model import Client as ClientSettings
from radius2fa.config.model import Codes, Lockout, Policy, Settings
from radius2fa.config.texts import texts_of
from radius2fa.login.attempt import ClientRules, CodeMode
from radius2fa.login.case import House
from radius2fa.login.dn import normal_dn
from radius2fa.login.lockout import LockoutRules, place_rules
from radius2fa.login.policy import Reply, Rule, Rules, SecondFactor, folded, no_reply
from radius2fa.login.ports import Directory
from radius2fa.otp.token import Kind
from radius2fa.otp.verify import Windows
from radius2fa.radius.clients import Client
from radius2fa.server.answer import Answers
from radius2fa.server.patience import Patience
from radius2fa.server.replies import UnusableReplies, replies
from radius2fa.store.engine import Store


def house(settings: Settings, store: Store, directory: Directory) -> House:
    """Return the decision's surroundings, as configured.

    Raises:
        UnusableReplies: attributes or values of the policies cannot be sent.

    """
    return house_by(rules(settings), settings, store, directory)


def house_by(policies: Rules, settings: Settings, store: Store, directory: Directory) -> House:
    """Return the decision's surroundings, as configured but for the rules, which are these."""
    lockout = settings.lockout
    people = lockout_rules(lockout)
    return House(
        directory=directory,
        ledger=store.ledger,
        random=secrets.token_bytes,
        windows=windows(settings.codes),
        lockout=people,
        places=place_rules(people, lockout.unknown_names, lockout.unknown_names_of_client),
        policies=policies,
        challenge_seconds=settings.server.challenge_seconds,
    )


def windows(codes: Codes) -> Windows:
    """Return how far a code may be from where it should be."""
    return Windows(
        totp=codes.totp_window,
        totp_resync=codes.totp_resync,
        hotp=codes.hotp_window,
        hotp_resync=codes.hotp_resync,
        resync_seconds=codes.resync_seconds,
    )


def lockout_rules(lockout: Lockout) -> LockoutRules:
    """Return the rules that slow guessing at a person down."""
    return LockoutRules(
        failures=lockout.failures,
        delay=lockout.delay,
        longest_delay=lockout.longest_delay,
        lock_after=lockout.lock_after,
        repeat_seconds=lockout.repeat_seconds,
    )


def rules(settings: Settings) -> Rules:
    """Return the rules of all policies, in the order of the file.

    Raises:
        UnusableReplies: attributes or values of the policies cannot be sent.

    """
    made = replies(settings)
    if made.faults:
        raise UnusableReplies(made.faults)
    return Rules.of(rule(policy, made.by_policy.get(policy.name, no_reply)) for policy in settings.policy)


def rule(policy: Policy, reply: Reply) -> Rule:
    """Return the policy as the decision sees it; names and DNs are written as they are compared."""
    return Rule(
        policy.name,
        clients=_set(str, policy.clients),
        users=_set(folded, policy.users),
        groups=_set(normal_dn, policy.groups),
        networks=policy.networks,
        second_factor=SecondFactor(policy.second_factor),
        until=None if policy.until is None else policy.until.timestamp(),
        kinds=None if policy.kinds is None else frozenset(map(Kind, policy.kinds)),
        required_groups=_set(normal_dn, policy.required_groups),
        adopts=policy.adopt_yubikeys,
        reply=reply,
    )


def _set(written: Callable[[str], str], names: Iterable[str] | None) -> frozenset[str] | None:
    return None if names is None else frozenset(map(written, names))


def answers(settings: Settings) -> Answers:
    """Return what replies are made of: the texts of each client."""
    texts = {client.name: texts_of(client, settings) for client in settings.client}
    return Answers(texts, settings.server.send_class)


def patience(settings: Settings) -> Patience:
    """Return how long answers wait.

    Where a rule lets the password alone suffice, all challenges leave as late as one that was made after a bind.
    """
    server = settings.server
    sparing = any(policy.second_factor in {"off", "if-enrolled"} for policy in settings.policy)
    return Patience(server.patience, server.reject_delay, server.reject_jitter, _CHALLENGE_HOUR if sparing else 0.0)


_CHALLENGE_HOUR = 0.15  # seconds: a look-up with groups and a bind take less where the directory is near


def radius_client(client: ClientSettings) -> Client:
    """Return the client as the codec sees it."""
    unsigned = not client.require_message_authenticator
    return Client(
        name=client.name,
        networks=client.addresses,
        secret=client.secret.get_secret_value(),
        require_message_authenticator=client.require_message_authenticator,
        limit_proxy_state=unsigned if client.limit_proxy_state is None else client.limit_proxy_state,
        charset=client.charset,
    )


def client_rules(client: ClientSettings) -> ClientRules:
    """Return the client as the decision sees it."""
    delimiter = client.delimiter.encode() if client.delimiter is not None else None
    return ClientRules(client.name, CodeMode(client.code), delimiter)

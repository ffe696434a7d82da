"""Owns the wiring: configuration in, the parts that the server runs on out."""

import secrets

from radius2fa.config.model import Client as ClientSettings
from radius2fa.config.model import Settings
from radius2fa.config.places import shipped
from radius2fa.login.attempt import ClientRules, CodeMode
from radius2fa.login.authenticate import House
from radius2fa.login.lockout import LockoutRules
from radius2fa.login.policy import Rule
from radius2fa.login.ports import Directory
from radius2fa.otp.verify import Windows
from radius2fa.radius.attributes import ReplyAttribute
from radius2fa.radius.clients import Client
from radius2fa.radius.dictionary import Dictionary
from radius2fa.store.engine import Store


def house(settings: Settings, store: Store, directory: Directory) -> House:
    """Return the decision's surroundings, as configured."""
    codes, lockout = settings.codes, settings.lockout
    return House(
        directory=directory,
        ledger=store.ledger,
        random=secrets.token_bytes,
        windows=Windows(
            totp=codes.totp_window,
            totp_resync=codes.totp_resync,
            hotp=codes.hotp_window,
            hotp_resync=codes.hotp_resync,
            resync_seconds=codes.resync_seconds,
        ),
        lockout=LockoutRules(
            failures=lockout.failures,
            delay=lockout.delay,
            longest_delay=lockout.longest_delay,
            lock_after=lockout.lock_after,
            repeat_seconds=lockout.repeat_seconds,
        ),
        policies=tuple(
            Rule(policy.name, None if policy.clients is None else frozenset(policy.clients))
            for policy in settings.policy
        ),
        challenge_seconds=settings.server.challenge_seconds,
    )


def reply_attributes(settings: Settings) -> dict[str, tuple[ReplyAttribute, ...]]:
    """Return the reply attributes of each policy, encoded once.

    Raises:
        ValueError: an attribute that no dictionary knows, or a value that does not fit; the text names the policy.

    """
    dictionary = Dictionary.load(shipped("dictionaries"))
    encoded = {}
    for policy in settings.policy:
        attributes = []
        for name, values in policy.reply.items():
            for value in values if isinstance(values, tuple) else (values,):
                try:
                    attributes.append(dictionary.encode(name, value))
                except ValueError as fault:
                    raise ValueError(f'policy "{policy.name}": {fault}') from None
        encoded[policy.name] = tuple(attributes)
    return encoded


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

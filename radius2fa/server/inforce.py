"""Owns what a configuration makes of requests, as one value: a reload puts another in its place, whole."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from radius2fa.config.model import Settings
from radius2fa.directory.directories import Directories
from radius2fa.login.attempt import ClientRules
from radius2fa.login.case import House
from radius2fa.radius.clients import Clients
from radius2fa.server.answer import Answers
from radius2fa.server.health import Health
from radius2fa.server.patience import Patience
from radius2fa.server.wiring import answers, client_rules, house, patience, radius_client
from radius2fa.store.engine import Store


@dataclass(frozen=True, slots=True)
class InForce:
    """All that the ports go by. `rules` holds the decision's view of each client, by name.

    A request keeps to the one that it began under, to its reply.
    """

    clients: Clients
    rules: Mapping[str, ClientRules]
    house: House
    answers: Answers
    patience: Patience
    health: Health


def in_force(settings: Settings, store: Store, directory: Directories) -> InForce:
    """Return it for these settings; nothing is connected or started.

    Raises:
        UnusableReplies: attributes or values of the policies cannot be sent (`check` finds the same).

    """
    return InForce(
        clients=Clients(radius_client(client) for client in settings.client),
        rules={client.name: client_rules(client) for client in settings.client},
        house=house(settings, store, directory),
        answers=answers(settings),
        patience=patience(settings),
        health=Health((directory.probe, lambda _: store.probe()), time.monotonic),
    )

"""Settings for tests of the server: a directory, a client, and whatever policies are asked for."""

from collections.abc import Sequence

from pydantic import SecretBytes

from radius2fa.config.model import Client, Directory, Policy, Settings


def a_client(**keys: object) -> Client:
    """Return a client with these keys."""
    return Client.model_validate({"name": "vpn", "addresses": ["192.0.2.1"], "secret": SecretBytes(b"x" * 24), **keys})


def policy(name: str = "staff", **keys: object) -> Policy:
    """Return a policy with these keys."""
    return Policy.model_validate({"name": name, **keys})


def settings(*policies: Policy, clients: Sequence[Client] = (), **sections: object) -> Settings:
    """Return settings with these policies, and other sections by their names."""
    directory = Directory(urls=("ldaps://ldap.example.org",), base="dc=example,dc=org")
    return Settings.model_validate(
        {"directory": (directory,), "client": clients or (a_client(),), "policy": policies, **sections}
    )

"""What the configuration means to the server's parts."""

import pytest
from pydantic import SecretBytes

from radius2fa.config.model import Client, Directory, Policy, Settings
from radius2fa.login.attempt import ClientRules, CodeMode
from radius2fa.server.wiring import client_rules, radius_client, reply_attributes


def a_client(**keys: object) -> Client:
    return Client.model_validate({"name": "vpn", "addresses": ["192.0.2.1"], "secret": SecretBytes(b"x" * 24), **keys})


def settings(*policies: Policy) -> Settings:
    directory = Directory(urls=("ldaps://ldap.example.org",), base="dc=example,dc=org")
    return Settings(directory=(directory,), client=(a_client(),), policy=policies)


@pytest.mark.parametrize(
    ("keys", "required", "limited"),
    [
        ({}, True, False),
        ({"require_message_authenticator": False}, False, True),  # relaxing the one forces the other
        ({"require_message_authenticator": True, "limit_proxy_state": True}, True, True),
        (
            {
                "require_message_authenticator": False,
                "limit_proxy_state": False,
                "insecure_unsigned_proxy_state": True,
            },
            False,
            False,
        ),
    ],
)
def test_what_a_client_must_sign(keys: dict[str, object], *, required: bool, limited: bool) -> None:
    client = radius_client(a_client(**keys))
    assert (client.require_message_authenticator, client.limit_proxy_state) == (required, limited)


def test_a_client_s_rules_for_the_decision() -> None:
    assert client_rules(a_client()) == ClientRules("vpn", CodeMode.APPENDED, None)
    assert client_rules(a_client(code="either", delimiter="§")) == ClientRules("vpn", CodeMode.EITHER, b"\xc2\xa7")


def test_reply_attributes_are_encoded_once_in_the_order_of_the_file() -> None:
    policy = Policy(name="staff", reply={"Filter-Id": "staff", "Cisco-AVPair": ("a=1", "b=2"), "Session-Timeout": 60})
    encoded = reply_attributes(settings(policy))["staff"]
    assert [attribute.octets(attribute.value) for attribute in encoded] == [
        b"\x0b\x07staff",
        b"\x1a\x0b\x00\x00\x00\x09\x01\x05a=1",
        b"\x1a\x0b\x00\x00\x00\x09\x01\x05b=2",
        b"\x1b\x06\x00\x00\x00\x3c",
    ]


def test_an_attribute_that_no_dictionary_knows_is_named_with_its_policy() -> None:
    policy = Policy(name="staff", reply={"Filter-Idd": "staff"})
    with pytest.raises(ValueError, match=r'^policy "staff": .*Filter-Idd.*Filter-Id'):
        reply_attributes(settings(policy))

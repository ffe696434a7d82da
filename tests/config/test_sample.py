import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from radius2fa.config.credentials import SECRETS
from radius2fa.config.load import read
from radius2fa.config.model import Text
from radius2fa.config.places import shipped
from radius2fa.config.texts import BUILT_IN
from radius2fa.config.words import SECTIONS
from radius2fa.server.replies import replies
from tests.config.files import DIRECTORY, reading_of

SAMPLE = (shipped("etc") / "radius2fa.toml").read_text()
SECRET = SAMPLE.replace('secret = ""', 'secret = "k3JvXnZrN0x6R2Z1bWFzMjNhc2Q"')
EXAMPLE = re.compile(r"(?:^#   .*\n)+", re.MULTILINE)
EVERY_KEY = re.sub(r"^#(?=[a-z\[])", "", SECRET, flags=re.MULTILINE)
# What the sample shows as an example, since there is no default to show.
EXAMPLES = {
    ("server", "node"),
    ("directory", "bind_dn"),
    ("directory", "group_base"),
    ("directory", "ca_file"),
    ("directory", "client_certificate"),
    ("directory", "client_key"),
    ("directory", "realms"),
    ("directory", "domains"),
    ("client", "limit_proxy_state"),
    ("client", "directories"),
    ("client", "delimiter"),
    ("client", "language"),
    ("client", "prompt"),
    ("client", "refusal"),
    *(
        ("portal", key)
        for key in (
            "url",
            "certificate",
            "key",
            "trusted_proxies",
            "enrolment_until",
            "enrolment_networks",
            "helpdesk_groups",
            "admin_groups",
            "help",
            "rp_id",
            "aaguids",
            "attestation_roots",
            "mail",
        )
    ),
    ("portal.mail", "ca_file"),
    ("portal.mail", "user"),
    ("log", "syslog"),
    *(("log.syslog", key) for key in ("port", "ca_file", "client_certificate", "client_key")),
    ("metrics", "listen"),
    *(("policy", key) for key in SECTIONS["policy"].model_fields if key != "adopt_yubikeys"),
    *(("text", key) for key in Text.model_fields),
}


FILES = (
    "directory.password",
    "database.password",
    "ldap-client.pem",
    "ldap-client.key",
    "portal.pem",
    "portal.key",
    "mail.password",
    "syslog-client.pem",
    "syslog-client.key",
)


def first(section: str) -> dict[str, object]:
    value: Any = tomllib.loads(EVERY_KEY)
    for name in section.split("."):
        value = value[name]
    return value[0] if isinstance(value, list) else value["en"] if section == "text" else value


def test_the_sample_is_valid_once_it_has_a_secret(tmp_path: Path) -> None:
    path = tmp_path / "radius2fa.toml"
    path.touch(0o600)
    path.write_text(SECRET)
    reading = read(path, {})
    assert reading.faults == ()
    assert reading.warnings == ()


def test_the_sample_as_it_is_lacks_nothing_but_the_secret(tmp_path: Path) -> None:
    path = tmp_path / "radius2fa.toml"
    path.touch(0o600)
    path.write_text(SAMPLE)
    assert [fault.key for fault in read(path, {}).faults] == ["client[1].secret"]


def test_the_sample_with_every_line_in_use_is_valid(tmp_path: Path) -> None:
    path = tmp_path / "radius2fa.toml"
    path.touch(0o600)
    for name in FILES:
        (tmp_path / name).touch(0o600)
        (tmp_path / name).write_text("x9ZsVw2LqPbT\n")
    (tmp_path / "yubico-fido-roots.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    text = EVERY_KEY.replace("sqlite:////var/lib/radius2fa/radius2fa.db", "postgresql://radius2fa@db/radius2fa")
    path.write_text(text.replace('attestation = "none"', 'attestation = "direct"'))  # or it has no use for aaguids
    assert read(path, {}).faults == ()


@pytest.mark.parametrize("section", SECTIONS)
def test_the_sample_shows_every_key_and_no_other(section: str) -> None:
    secret = SECRETS.get(section, "")
    shown = {secret if secret and key == f"{secret}_file" else key for key in first(section)}
    assert shown == set(SECTIONS[section].model_fields)


@pytest.mark.parametrize("section", SECTIONS)
def test_the_sample_shows_the_defaults(section: str) -> None:
    model, secret = SECTIONS[section], SECRETS.get(section, "")
    shown = {secret if key == f"{secret}_file" else key: value for key, value in first(section).items()}
    checked = model.model_validate({key: value for key, value in shown.items() if f"{section}.{key}" not in SECTIONS})
    for key, field in model.model_fields.items():
        if not field.is_required() and key != secret and (section, key) not in EXAMPLES:
            assert getattr(checked, key) == field.default, f"{section}.{key}"


def test_the_sample_shows_the_built_in_texts() -> None:
    shown = first("text")
    assert (shown["prompt"], shown["refusal"]) == (BUILT_IN["en"].prompt, BUILT_IN["en"].refusal)


def test_the_sample_names_the_built_in_languages() -> None:
    (line,) = [line for line in SAMPLE.splitlines() if line.startswith("# The language that users")]
    following = SAMPLE[SAMPLE.index(line) :].partition("as they are")[0]
    assert re.findall(r'"(..)"', following) == list(BUILT_IN)


@pytest.mark.parametrize("name", ["rollout", "office", "no-contractors", "network"])
def test_an_example_of_a_policy_can_be_used(tmp_path: Path, name: str) -> None:
    """As it stands there, with the groups where groups are looked for, and the clients that it names."""
    (example,) = [found for found in EXAMPLE.findall(SAMPLE) if f'name = "{name}"' in found]
    clients = "".join(
        f'[[client]]\nname = "{client}"\naddresses = ["{address}"]\nsecret = "k3JvXnZrN0x6R2Z1bWFzMjNhc2Q"\n'
        for client, address in (("vpn", "192.0.2.10"), ("switch", "192.0.2.11"))
    )
    reading = reading_of(tmp_path, DIRECTORY + clients + re.sub(r"^#   ", "", example, flags=re.MULTILINE))
    assert (reading.faults, reading.warnings) == ((), ())
    assert reading.settings is not None
    assert [policy.name for policy in reading.settings.policy] == [name]
    assert replies(reading.settings).faults == ()

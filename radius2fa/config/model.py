"""Owns the shape of the configuration: every section and key, with its type, default and limits.

The comments that an administrator reads stand in etc/radius2fa.toml, which a test holds against this module.
Secrets are resolved (from `*_file`, or a systemd credential) before these models are built, so that what they hold is
final; `SecretBytes` keeps them out of every repr.
"""

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretBytes, StrictBool

from radius2fa.config import places, rules

Network = Annotated[IPv4Network | IPv6Network, BeforeValidator(rules.network)]
Seconds = Annotated[float, Field(ge=0)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=64)]


class Section(BaseModel):
    """A part of the file: frozen, and with no key that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, hide_input_in_errors=True)


class Listen(Section):
    """One address to listen on, written in the file as "192.0.2.1:1812" or "[2001:db8::1]:1812"."""

    host: str
    port: Annotated[int, Field(ge=0, le=65535)]


Address = Annotated[Listen, BeforeValidator(rules.listen)]
DirectoryUrl = Annotated[str, AfterValidator(rules.directory_url)]


class Server(Section):
    """`[server]`."""

    listen: Annotated[tuple[Address, ...], Field(min_length=1)] = (
        Listen(host="0.0.0.0", port=rules.RADIUS_PORT),  # noqa: S104 - a server
        Listen(host="::", port=rules.RADIUS_PORT),
    )
    threads: Annotated[int, Field(ge=1, le=256)] = 16
    one_processor: StrictBool = True
    backlog: Annotated[int, Field(ge=1, le=65536)] = 1024
    client_backlog: Annotated[int, Field(ge=1, le=65536)] = 512
    patience: Annotated[float, Field(ge=1, le=60)] = 4.0
    reject_delay: Annotated[float, Field(ge=0, le=5)] = 1.0
    reject_jitter: Annotated[float, Field(ge=0, le=2)] = 0.25
    challenge_seconds: Annotated[int, Field(ge=10, le=600)] = 120
    prompt: str = "One-time code:"
    refusal: str = "Login refused."
    send_class: StrictBool = False


class Store(Section):
    """`[store]`. `url` is SQLAlchemy's, without a password; `password` is the PostgreSQL role's."""

    url: Annotated[str, AfterValidator(rules.store_url)] = f"sqlite:///{places.DATABASE_FILE}"
    password: SecretBytes | None = None
    key_file: Path = places.KEY_FILE
    timeout: Annotated[float, Field(gt=0, le=30)] = 1.5
    keep_days: Annotated[int, Field(ge=1, le=3650)] = 90


class Directory(Section):
    """`[[directory]]`."""

    name: Name = "main"
    urls: Annotated[tuple[DirectoryUrl, ...], Field(min_length=1)]
    start_tls: StrictBool = True
    ca_file: Path | None = None
    bind_dn: str = ""
    bind_password: SecretBytes | None = None
    base: str
    user_filter: Annotated[str, AfterValidator(rules.user_filter)] = "(&(objectClass=person)(uid={user}))"
    realms: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    id_attribute: str = "entryUUID"
    name_attribute: str = "uid"
    connect_timeout: Annotated[float, Field(gt=0, le=30)] = 0.8
    timeout: Annotated[float, Field(gt=0, le=30)] = 1.5
    cache_seconds: Annotated[float, Field(ge=0, le=3600)] = 60.0


class Client(Section):
    """`[[client]]`. `limit_proxy_state` unset means: on when `require_message_authenticator` is off."""

    name: Name
    addresses: Annotated[tuple[Network, ...], Field(min_length=1)]
    secret: Annotated[SecretBytes, Field(min_length=1)]
    require_message_authenticator: StrictBool = True
    limit_proxy_state: StrictBool | None = None
    insecure_unsigned_proxy_state: StrictBool = False
    code: Literal["appended", "challenge", "either"] = "appended"
    delimiter: Annotated[str, AfterValidator(rules.delimiter)] | None = None
    charset: Annotated[str, AfterValidator(rules.charset)] = "utf-8"


class Policy(Section):
    """`[[policy]]`. `reply` holds attributes by dictionary name: a value or a list of values."""

    name: Name
    clients: tuple[str, ...] | None = None
    reply: dict[str, str | int | tuple[str | int, ...]] = {}


class Lockout(Section):
    """`[lockout]`."""

    failures: Annotated[int, Field(ge=1, le=1000)] = 5
    delay: Annotated[float, Field(gt=0, le=86400)] = 30.0
    longest_delay: Annotated[float, Field(gt=0, le=604800)] = 3600.0
    lock_after: Annotated[int, Field(ge=1, le=100000)] = 50
    repeat_seconds: Seconds = 60.0


class Codes(Section):
    """`[codes]`."""

    issuer: str = "radius2fa"
    totp_window: Annotated[int, Field(ge=0, le=10)] = 1
    totp_resync: Annotated[int, Field(ge=0, le=1000)] = 20
    hotp_window: Annotated[int, Field(ge=0, le=100)] = 10
    hotp_resync: Annotated[int, Field(ge=0, le=1000)] = 100
    resync_seconds: Seconds = 300.0


class Log(Section):
    """`[log]`."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["readable", "json"] = "readable"


class Settings(Section):
    """The whole file."""

    server: Server = Server()
    store: Store = Store()
    directory: Annotated[tuple[Directory, ...], Field(min_length=1)]
    client: Annotated[tuple[Client, ...], Field(min_length=1)]
    policy: tuple[Policy, ...] = ()
    lockout: Lockout = Lockout()
    codes: Codes = Codes()
    log: Log = Log()

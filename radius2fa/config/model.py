"""Owns the shape of the configuration: every section and key, with its type, default and limits.

The comments that an administrator reads stand in etc/radius2fa.toml, which a test holds against this module.
Secrets are resolved (from `*_file`, or a systemd credential) before these models are built, so that what they hold is
final; `SecretBytes` keeps them out of every repr.
"""

from datetime import datetime
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    SecretBytes,
    StrictBool,
    StrictInt,
    StrictStr,
    Tag,
)

from radius2fa.config import places, rules, web

T = TypeVar("T")
Several = Annotated[tuple[T, ...], Field(min_length=1)]

Network = Annotated[IPv4Network | IPv6Network, BeforeValidator(rules.network)]
Seconds = Annotated[float, Field(ge=0)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=64)]
Language = Annotated[str, AfterValidator(rules.language)]
ReplyText = Annotated[str, AfterValidator(rules.reply_text)]
Dn = Annotated[str, AfterValidator(rules.dn)]


class Section(BaseModel):
    """A part of the file: frozen, and with no key that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, hide_input_in_errors=True)


class Listen(Section):
    """One address to listen on, written in the file as "192.0.2.1:1812" or "[2001:db8::1]:1812"."""

    host: str
    port: Annotated[int, Field(ge=0, le=65535)]


Address = Annotated[Listen, BeforeValidator(rules.listen)]
AccountingAddress = Annotated[Listen, BeforeValidator(rules.listen_for_accounting)]
DirectoryUrl = Annotated[str, AfterValidator(rules.directory_url)]


class Server(Section):
    """`[server]`. `status_socket` is None where it is switched off."""

    listen: Several[Address] = (
        Listen(host="0.0.0.0", port=rules.RADIUS_PORT),  # noqa: S104 - a server
        Listen(host="::", port=rules.RADIUS_PORT),
    )
    accounting_listen: tuple[AccountingAddress, ...] = ()
    threads: Annotated[int, Field(ge=1, le=256)] = 16
    one_processor: StrictBool = True
    backlog: Annotated[int, Field(ge=1, le=65536)] = 1024
    client_backlog: Annotated[int, Field(ge=1, le=65536)] = 512
    patience: Annotated[float, Field(ge=1, le=60)] = 4.0
    reject_delay: Annotated[float, Field(ge=0, le=5)] = 1.0
    reject_jitter: Annotated[float, Field(ge=0, le=2)] = 0.25
    challenge_seconds: Annotated[int, Field(ge=10, le=600)] = 120
    language: Language = "en"
    send_class: StrictBool = False
    dictionaries: tuple[Path, ...] = ()
    status_socket: Annotated[Path | None, BeforeValidator(rules.file_or_none)] = places.STATUS_SOCKET
    node: Name = Field(default_factory=rules.host_name)


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
    driver: Literal["ldap3", "libldap"] = "ldap3"
    urls: Several[DirectoryUrl]
    start_tls: StrictBool = True
    ca_file: Path | None = None
    tls_minimum: Literal["1.2", "1.3"] = "1.2"
    client_certificate: Path | None = None
    client_key: Path | None = None
    bind_method: Literal["simple", "external"] = "simple"
    bind_dn: str = ""
    bind_password: SecretBytes | None = None
    base: str
    user_filter: Annotated[str, AfterValidator(rules.user_filter)] = "(&(objectClass=person)(uid={user}))"
    realms: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    default: StrictBool = False
    group_base: str | None = None
    group_filter: Annotated[str, AfterValidator(rules.group_filter)] = "(|(member={dn})(uniqueMember={dn}))"
    nested_groups: StrictBool = True
    id_attribute: str = "entryUUID"
    name_attribute: str = "uid"
    connect_timeout: Annotated[float, Field(gt=0, le=30)] = 0.8
    timeout: Annotated[float, Field(gt=0, le=30)] = 1.5
    cache_seconds: Annotated[float, Field(ge=0, le=3600)] = 60.0


class Client(Section):
    """`[[client]]`. `limit_proxy_state` unset means: on when `require_message_authenticator` is off.

    `language`, `prompt` and `refusal` unset mean: those of the server and of the language.
    """

    name: Name
    addresses: Several[Network]
    secret: Annotated[SecretBytes, Field(min_length=1)]
    require_message_authenticator: StrictBool = True
    limit_proxy_state: StrictBool | None = None
    insecure_unsigned_proxy_state: StrictBool = False
    directories: Several[Name] | None = None
    code: Literal["appended", "challenge", "either"] = "appended"
    delimiter: Annotated[str, AfterValidator(rules.delimiter)] | None = None
    charset: Annotated[str, AfterValidator(rules.charset)] = "utf-8"
    language: Language | None = None
    prompt: ReplyText | None = None
    refusal: ReplyText | None = None


class FromLdap(Section):
    """`{ ldap = "…" }`: every value of an attribute of the user's entry."""

    ldap: Annotated[str, AfterValidator(rules.ldap_attribute)]


class ByGroup(Section):
    """`{ groups = { "…" = value } }`: the value of each group that the user belongs to; of the `first` one only."""

    groups: Annotated[dict[Dn, StrictStr | StrictInt], Field(min_length=1)]
    first: StrictBool = False


def _form(value: object) -> str | None:
    """Return the form of a reply attribute's value, None for a table of neither form."""
    if not isinstance(value, dict | Section):
        return "constant"
    keys = value if isinstance(value, dict) else type(value).model_fields
    return next((form for form in ("ldap", "groups") if form in keys), None)


Constant = StrictStr | StrictInt | Several[StrictStr | StrictInt]
ReplyValue = Annotated[
    Annotated[Constant, Tag("constant")] | Annotated[FromLdap, Tag("ldap")] | Annotated[ByGroup, Tag("groups")],
    Discriminator(_form),
]
NonEmpty = Annotated[str, Field(min_length=1)]


class Policy(Section):
    """`[[policy]]`. A condition that is None is none. `until` ends if-enrolled. `reply` is by dictionary name."""

    name: Name
    clients: Several[str] | None = None
    users: Several[NonEmpty] | None = None
    groups: Several[Dn] | None = None
    networks: Several[Network] | None = None
    second_factor: Literal["required", "if-enrolled", "off", "deny"] = "required"
    until: Annotated[datetime, BeforeValidator(rules.moment)] | None = None
    kinds: Several[Literal["totp", "hotp", "yubikey", "recovery", "temporary", "passkey"]] | None = None
    required_groups: Several[Dn] | None = None
    adopt_yubikeys: StrictBool = False
    reply: dict[str, ReplyValue] = {}


class Lockout(Section):
    """`[lockout]`."""

    failures: Annotated[int, Field(ge=1, le=1000)] = 5
    delay: Annotated[float, Field(gt=0, le=86400)] = 30.0
    longest_delay: Annotated[float, Field(gt=0, le=604800)] = 3600.0
    lock_after: Annotated[int, Field(ge=1, le=100000)] = 50
    repeat_seconds: Seconds = 60.0
    unknown_names: Annotated[int, Field(ge=1, le=100000)] = 20
    unknown_names_of_client: Annotated[int, Field(ge=1, le=100000)] = 200


class Codes(Section):
    """`[codes]`."""

    issuer: str = "radius2fa"
    totp_window: Annotated[int, Field(ge=0, le=10)] = 1
    totp_resync: Annotated[int, Field(ge=0, le=1000)] = 20
    hotp_window: Annotated[int, Field(ge=0, le=100)] = 10
    hotp_resync: Annotated[int, Field(ge=0, le=1000)] = 100
    resync_seconds: Seconds = 300.0


class Text(Section):
    """`[text.de]`: the words of a language, in the place of those that are built in."""

    prompt: ReplyText | None = None
    refusal: ReplyText | None = None


class Mail(Section):
    """`[portal.mail]`: how people are told of what has changed. `attribute` is the directory's, with their address."""

    server: Annotated[str, AfterValidator(web.host)]
    port: Annotated[int, Field(ge=1, le=65535)] = web.SUBMISSION_PORT
    security: Literal["starttls", "tls", "none"] = "starttls"
    ca_file: Path | None = None
    user: str = ""
    password: SecretBytes | None = None
    sender: Annotated[str, AfterValidator(web.mail_address)]
    attribute: Annotated[str, AfterValidator(rules.ldap_attribute)] = "mail"


WebAddress = Annotated[Listen, BeforeValidator(web.listen)]
Aaguid = Annotated[str, AfterValidator(web.aaguid)]


class Portal(Section):
    """`[portal]`. `url` is an origin (RFC 6454); without it there is no portal. `rp_id` None is its host.

    `idle`, `longest` and `fresh` are in seconds. `enrolment_until` and `enrolment_networks` limit first enrolments.
    """

    url: Annotated[str, AfterValidator(web.origin)] | None = None
    listen: Several[WebAddress] = (Listen(host="127.0.0.1", port=web.PORTAL_PORT),)
    certificate: Path | None = None
    key: Path | None = None
    trusted_proxies: tuple[Network, ...] = ()
    threads: Annotated[int, Field(ge=1, le=256)] = 8
    enrolment: Literal["open", "invitation", "closed"] = "open"
    enrolment_until: Annotated[datetime, BeforeValidator(rules.moment)] | None = None
    enrolment_networks: Several[Network] | None = None
    offer: Several[Literal["app", "hardware", "yubikey", "passkey"]] = ("app", "hardware", "yubikey", "passkey")
    idle: Annotated[int, Field(ge=60, le=86400)] = 900
    longest: Annotated[int, Field(ge=60, le=604800)] = 28800
    fresh: Annotated[int, Field(ge=30, le=86400)] = 300
    helpdesk_groups: tuple[Dn, ...] = ()
    admin_groups: tuple[Dn, ...] = ()
    help: Annotated[str, AfterValidator(web.line)] = ""
    rp_id: Annotated[str, AfterValidator(web.host)] | None = None
    user_verification: Literal["preferred", "required", "discouraged"] = "preferred"
    attestation: Literal["none", "direct"] = "none"
    aaguids: tuple[Aaguid, ...] = ()
    attestation_roots: tuple[Path, ...] = ()
    mail: Mail | None = None


class Syslog(Section):
    """`[log.syslog]`. `port` None is the usual one of the transport."""

    server: Annotated[str, AfterValidator(web.host)]
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    transport: Literal["udp", "tcp", "tls"] = "tls"
    ca_file: Path | None = None
    client_certificate: Path | None = None
    client_key: Path | None = None
    facility: Literal[
        "auth", "authpriv", "daemon", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"
    ] = "authpriv"


class Log(Section):
    """`[log]`. `file` is None where lines go to standard error, which is the journal's under systemd."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["readable", "json"] = "readable"
    file: Annotated[Path | None, BeforeValidator(rules.file_or_none)] = None
    syslog: Syslog | None = None


MetricsAddress = Annotated[Listen | None, BeforeValidator(rules.listen_for_metrics)]


class Metrics(Section):
    """`[metrics]`. `listen` is None where there are none."""

    listen: MetricsAddress = None
    insecure_beyond_loopback: StrictBool = False


class Settings(Section):
    """The whole file."""

    server: Server = Server()
    store: Store = Store()
    directory: Several[Directory]
    client: Several[Client]
    policy: tuple[Policy, ...] = ()
    lockout: Lockout = Lockout()
    codes: Codes = Codes()
    text: dict[Language, Text] = {}
    portal: Portal = Portal()
    log: Log = Log()
    metrics: Metrics = Metrics()

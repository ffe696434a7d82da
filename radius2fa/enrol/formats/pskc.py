"""Owns the reading of PSKC files (RFC 6030): which of their keys are tokens, and what is said of them."""

from collections.abc import Iterator
from datetime import UTC, datetime

from radius2fa.enrol import seed
from radius2fa.enrol.formats import values
from radius2fa.enrol.formats.markup import Document, Element, Part
from radius2fa.enrol.formats.rows import BadFile, Draft, Format, Found, Rejected, Row
from radius2fa.enrol.formats.source import Source
from radius2fa.enrol.formats.table import NewId
from radius2fa.enrol.formats.xmlenc import Ask, Protection, from_base64
from radius2fa.enrol.formats.yubico import key as yubikey
from radius2fa.otp.oath import step
from radius2fa.otp.token import PERIODS, Kind, Token, YubiKey

ROOT = "KeyContainer"
_NAMESPACE = "urn:ietf:params:xml:ns:keyprov:pskc"
# The registered names (RFC 6030 section 10), and what makers wrote while the drafts had other ones.
_PREFIXES = (_NAMESPACE + ":", _NAMESPACE + "#", "http://www.ietf.org/keyprov/pskc#")
_KINDS = {kind: Kind(kind) for kind in ("hotp", "totp")}
_YUBIKEY = "http://www.yubico.com/#yubikey-aes"  # draft-josefsson-keyprov-pskc-yubikey
_POLICIES = {"StartDate", "ExpiryDate", "PINPolicy", "KeyUsage"}
_OTHERS = {"Signature", "Extensions"}
_NAMING = {"uid", "cn", "samaccountname", "userprincipalname", "mail"}  # what a DN names a person by
_INTEGERS = (4, 8)  # octets of an encrypted integer, big-endian: the int and the long of the schema
_FURTHEST = 10_000  # time steps of drift


class PskcFile:
    """A Reader of a PSKC file."""

    format = Format.PSKC
    suffix = "xml"

    def __init__(self, source: Source, new_id: NewId, ask: Ask, when: float) -> None:
        """Take a file, what names its tokens, who knows its key or password, and the time (Unix seconds)."""
        self._source = source
        self._new_id = new_id
        self._protection = Protection(ask)
        self._when = when
        self._document = Document()
        self._before = b""  # all that stands before the first key package
        self._protected = False  # the file says that it is encrypted, or has MACs
        self._signed = False

    def rows(self) -> Iterator[Row]:
        """Yield each key package."""
        packages = 0
        for part in self._document.parts(self._source.pieces(), ROOT):
            if part.element.name == "KeyPackage":
                self._before += part.before if packages == 0 else b""
                packages += 1
                yield self._row(part)
            else:
                self._take_in(part, packages)
        if not packages:
            raise BadFile("the file holds no KeyPackage")

    def notes(self) -> tuple[str, ...]:
        """Return that a signature was not looked at, if there is one."""
        if not self._signed:
            return ()
        return (
            "The file is signed. The signature was not verified: `pskctool --verify --verify-crt CERTIFICATE` does.",
        )

    def opening(self) -> bytes:
        """Return the file's own beginning: its namespaces, and how it is encrypted."""
        return self._before.rstrip() + b"\n"

    def entry(self, rejected: Rejected) -> bytes:
        """Return the key package as it stands in the file, below a comment."""
        reason = (rejected.reason + rejected.detail).replace("--", "- -").encode("ascii", "replace")
        return b"<!-- " + reason + b" -->\n" + rejected.copy + b"\n"

    def closing(self) -> bytes:
        """Return the end of the root element."""
        return f"</{self._document.root}>\n".encode()

    def _take_in(self, part: Part, packages: int) -> None:
        element = part.element
        if element.name in _OTHERS:
            self._signed |= element.name == "Signature"
            return
        if element.name not in {"EncryptionKey", "MACMethod"}:
            raise BadFile("a child of KeyContainer is none that RFC 6030 knows", element.line)
        if packages:
            raise BadFile(f"{element.name} stands behind the first KeyPackage", element.line)
        self._before += part.before + part.octets
        self._protected = True
        if element.name == "EncryptionKey":
            self._protection.encryption_key(element)
        else:
            self._protection.mac_method(element)

    def _row(self, part: Part) -> Row:
        line = part.element.line
        try:
            if self._protected:
                _require_sealed(part.element)
            draft = _draft(part.element, self._protection, self._when, self._new_id())
        except ValueError as wrong:
            return Rejected(line, part.octets, str(wrong))
        return Found(line, part.octets, draft)


def _require_sealed(package: Element) -> None:
    """Refuse a secret in the clear within a file that is protected: whoever altered the file may have put it there.

    Raises:
        ValueError: the secret is not encrypted.

    """
    if package.child("Key", "Data", "Secret", "PlainValue") is not None:
        raise ValueError(
            "the file is encrypted, and this Secret is not, nor has it a MAC, so that anybody may have put it there: "
            "ask the maker for the file anew"
        )


def _draft(package: Element, protection: Protection, when: float, token_id: str) -> Draft:
    if package.namespace != _NAMESPACE:
        raise ValueError(f"the KeyPackage is not in the namespace {_NAMESPACE}")
    keys = [child for child in package.children if child.name == "Key"]
    if len(keys) != 1:
        raise ValueError("the KeyPackage does not hold exactly one Key")
    [key] = keys
    start, end = _validity(key.child("Policy"))
    serial = values.serial(package.content("DeviceInfo", "SerialNo")) or values.needed_serial(
        key.attributes.get("Id", "").strip()
    )
    label = values.label(package.content("DeviceInfo", "Manufacturer"), package.content("DeviceInfo", "Model"))
    if key.attributes.get("Algorithm", "").strip() == _YUBIKEY:
        return Draft(_yubikey(key, protection, token_id), serial, None, label, start, end)
    token = _oath(key, protection, when, token_id)
    owner = _owner(key.content("UserId") or package.content("DeviceInfo", "UserId"))
    return Draft(token, serial, owner, label, start, end)


def _oath(key: Element, protection: Protection, when: float, token_id: str) -> Token:
    kind = _kind(key.attributes.get("Algorithm", "").strip())
    data = key.child("Data")
    if data is None or data.child("Secret") is None:
        raise ValueError("the Key has no Secret: one that is derived elsewhere cannot be imported")
    secret = seed.checked(_octets(data, "Secret", protection))
    period = _integer(data, "TimeInterval", protection, 30)
    if period not in PERIODS:
        raise ValueError("the TimeInterval is not 30 or 60 seconds")
    token = values.oath(
        token_id,
        kind,
        secret,
        values.algorithm(key.content("AlgorithmParameters", "Suite")),
        _digits(key.child("AlgorithmParameters", "ResponseFormat")),
        period,
        _counter(data, "Counter" if kind is Kind.HOTP else "Time", protection),
        _drift(data, protection) if kind is Kind.TOTP else 0,
    )
    if kind is Kind.TOTP and token.counter > step(token, when):
        raise ValueError("the Time lies in the future: it counts time steps since 1970 (0, mostly)")
    return token


def _yubikey(key: Element, protection: Protection, token_id: str) -> YubiKey:
    """Return a YubiKey, whose public and private ids a draft puts into UserId: `CN=ekhgjhbctrgn, UID=ca62baca62ba`."""
    pairs = (part.strip().partition("=") for part in key.content("UserId").split(","))
    ids = {name.upper(): value for name, _, value in pairs}
    data = key.child("Data")
    if data is None or not {"CN", "UID"} <= ids.keys():
        raise ValueError(
            "the Key of a YubiKey has no UserId with its public id (CN) and its private id (UID), or no Data"
        )
    secret = _octets(data, "Secret", protection)
    return yubikey(token_id, ids["CN"].lower(), ids["UID"], secret.hex())


def _kind(algorithm: str) -> Kind:
    for prefix in _PREFIXES:
        if algorithm.lower().startswith(prefix):
            algorithm = algorithm[len(prefix) :]
    kind = _KINDS.get(algorithm.lower())
    if kind is None:
        raise ValueError("the Algorithm of the Key is not hotp or totp")
    return kind


def _validity(policy: Element | None) -> tuple[float | None, float | None]:
    """Return from when until when a key may be used (Unix seconds).

    RFC 6030 section 5: who does not understand a policy has to assume that the key may not be used.
    """
    if policy is None:
        return None, None
    if {child.name for child in policy.children} - _POLICIES:
        raise ValueError("the Policy limits the key by more than dates: such a limit cannot be kept here")
    usages = {child.text.strip() for child in policy.children if child.name == "KeyUsage"}
    if usages and "OTP" not in usages:
        raise ValueError("the KeyUsage of the Policy does not allow one-time passwords (OTP)")
    pin = policy.child("PINPolicy")
    if pin is not None and pin.attributes.get("PINUsageMode", "Local") != "Local":
        raise ValueError(
            "the PINPolicy makes a PIN a part of the codes: only a PIN that the device asks for is possible"
        )
    return _time(policy.content("StartDate")), _time(policy.content("ExpiryDate"))


def _time(text: str) -> float | None:
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise ValueError("the StartDate or ExpiryDate of the Policy is no date and time") from None


def _owner(user: str) -> str | None:
    """Return the name by which the directory may know a UserId: a DN (RFC 6030 section 4.3.3), or just a name."""
    if "=" not in user:
        return user or None
    kind, _, name = user.partition(",")[0].partition("=")
    if kind.strip().lower() not in _NAMING or "\\" in name or not name.strip():
        raise ValueError("the UserId names nobody: put a login name into it, or leave it out for the stock")
    return name.strip()


def _digits(form: Element | None) -> int:
    if form is None:
        return 6
    if form.attributes.get("Encoding", "DECIMAL") != "DECIMAL":
        raise ValueError("the Encoding of the ResponseFormat is not DECIMAL: codes are made of digits")
    if form.attributes.get("CheckDigits", "false").strip() not in {"false", "0"}:
        raise ValueError("the ResponseFormat asks for CheckDigits, which are not possible here")
    return values.whole(form.attributes.get("Length", "").strip(), "Length of the ResponseFormat", 6)


def _counter(data: Element, name: str, protection: Protection) -> int:
    found = _integer(data, name, protection, 0)
    if not 0 <= found <= values.MOST_COUNTER:
        raise ValueError(f"the {name} is below 0, or too large")
    return found


def _drift(data: Element, protection: Protection) -> int:
    found = _integer(data, "TimeDrift", protection, 0)
    if abs(found) > _FURTHEST:
        raise ValueError(f"the TimeDrift is larger than {_FURTHEST} time steps")
    return found


def _octets(data: Element, name: str, protection: Protection) -> bytes:
    value = data.child(name)
    if value is None:
        raise ValueError(f"the {name} is missing")
    plain = value.child("PlainValue")
    return protection.opened(value) if plain is None else from_base64(plain.text)


def _integer(data: Element, name: str, protection: Protection, default: int) -> int:
    value = data.child(name)
    if value is None:
        return default
    plain = value.child("PlainValue")
    if plain is not None:
        return _decimal(plain.text, name)
    octets = protection.opened(value)
    if octets.isdigit() and len(octets) not in _INTEGERS:  # some makers encrypt what they would have written
        return _decimal(octets.decode(), name)
    if len(octets) > max(_INTEGERS):
        raise ValueError(f"the {name} is not a whole number")
    return int.from_bytes(octets, "big", signed=len(octets) in _INTEGERS)


def _decimal(text: str, name: str) -> int:
    digits = text.strip().removeprefix("-")
    number = values.whole(digits.removeprefix("+"), name)
    return -number if text.strip().startswith("-") else number

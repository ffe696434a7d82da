"""Owns the WebAuthn ceremonies: what the browser is asked for, and whether what it brings back holds.

The library checks type, challenge, origin, RP id, presence, verification and signature (Web Authentication level 2,
sections 7.1 and 7.2). Here it is decided whose key may answer, that each answer counts once, and what its counter says.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import urlsplit

from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import (
    base64url_to_bytes,
    decode_credential_public_key,
    decoded_public_key_to_cryptography,
)
from webauthn.helpers.structs import (
    AttestationConveyancePreference,
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from radius2fa.directory.names import bare_user
from radius2fa.login.policy import folded
from radius2fa.login.ports import Entry
from radius2fa.portal import attestation
from radius2fa.portal.forms import own_origin
from radius2fa.portal.rules import NAME
from radius2fa.portal.visitor import deadline
from radius2fa.portal.world import World, world
from radius2fa.store.passkeys import Passkey
from radius2fa.store.tokens import MOST_ACTIVE

T = TypeVar("T")

CODE_SECONDS = 120.0  # how long a login code is good
NO_CODE = b"-"  # what no code looks like
_NOBODY = ""  # the subject of somebody whom the directory does not know
_LONGEST = 32768  # characters of a response: with a chain of certificates it has some thousand
_ID_LENGTHS = (16, 20, 32, 48, 64)  # octets of a credential id, as authenticators in the field make them
_TRANSPORTS = frozenset(transport.value for transport in AuthenticatorTransport)


class Unproven(Exception):  # noqa: N818 - named by what is wrong
    """What a browser brought back proves nothing. `why` is a key of the words, and the text is for the log."""

    def __init__(self, why: str, detail: str = "") -> None:
        """Say what is wrong."""
        super().__init__(f"{why}: {detail}" if detail else why)
        self.why = why


@dataclass(frozen=True, slots=True)
class Registered:
    """A new credential, proven to be in the user's hand. `aaguid` tells the model (a UUID as text)."""

    credential_id: bytes
    public_key: bytes = field(repr=False)
    sign_count: int
    aaguid: str
    transports: tuple[str, ...]
    backed_up: bool


def request_for(name: str, state: bytes) -> str:
    """Return the options with which a key signs in whoever has typed this name, as JSON.

    They look alike for everybody: names with few keys or none, and names that mean nobody, have decoys (section
    14.6.2), the same ones each time.
    """
    here = world()
    found = here.directory.find(name, NAME, deadline(here))
    subject = found.subject if isinstance(found, Entry) else _NOBODY
    decoys = [_decoy(here, number, _plain(here, name)) for number in range(MOST_ACTIVE)]
    return _request([*_credentials(subject), *decoys][:MOST_ACTIVE], sign_in_challenge(here, state))


def request_of(subject: str, challenge: bytes) -> str:
    """Return the options with which somebody who has signed in shows a key again, as JSON."""
    return _request(_credentials(subject), challenge)


def has_key(subject: str) -> bool:
    """Tell whether somebody has a key that may answer."""
    return bool(_credentials(subject))


def sign_in_challenge(here: World, state: bytes) -> bytes:
    """Return what is to be signed at a sign-in: as good for one time as the State is that it is made of."""
    return here.store.sessions.derive(b"sign-in", state)


def code_for(subject: str, name: str, response: str, challenge: bytes) -> bytes:
    """Return a login code that stands for the key which has signed the challenge; what is no code if none has.

    So a signature goes the way of every code: judged by the rules and the lockout, burned, and written down.
    """
    here = world()
    try:
        verified(subject, response, challenge)
    except Unproven as wrong:
        here.log.info("security key refused", user=name, why=str(wrong))
        return NO_CODE
    now = here.clock.now()
    codes = here.store.by(NAME, "in place of a security key").codes
    return codes.new_login_code(subject, name, until=now + CODE_SECONDS, when=now).encode()


def verified(subject: str, response: str, challenge: bytes) -> Passkey:
    """Return the person's key that has signed the challenge, with this use of it written down.

    Raises:
        Unproven: it has not, or is not theirs, or may not answer, or is a copy.

    """
    here = world()
    key = here.store.passkeys.by_credential(_credential_id(response))
    if key is None or key.subject != subject:
        raise Unproven("unknown-key")
    if not key.active:
        raise Unproven("disabled-key", key.id)
    portal = here.settings.portal
    seen = _judged(
        "not-signed",
        lambda: verify_authentication_response(
            credential=response,
            expected_challenge=challenge,
            expected_rp_id=rp_id(here),
            expected_origin=own_origin(str(portal.url)),
            credential_public_key=key.public_key,
            credential_current_sign_count=0,  # the store compares, and not before the signature is known to be right
            require_user_verification=portal.user_verification == "required",
        ),
    )
    if here.store.passkeys.used(key.id, seen.new_sign_count, seen.credential_backed_up, here.clock.now()):
        return key
    if seen.new_sign_count <= key.sign_count:
        here.log.warning(
            "signature counter went back: probably there is a copy of this security key",
            user=key.name,
            token=key.id,
            counter=seen.new_sign_count,
            expected=f"more than {key.sign_count}",
        )
        raise Unproven("counter-back", key.id)
    raise Unproven("not-valid", key.id)


def registration_for(subject: str, name: str, challenge: bytes) -> str:
    """Return the options with which a browser makes a credential, as JSON. Keys that they have are left out."""
    here = world()
    portal = here.settings.portal
    options = generate_registration_options(
        rp_id=rp_id(here),
        rp_name=here.settings.codes.issuer,
        user_name=name,
        user_id=here.store.sessions.derive(b"user handle", subject.encode()),  # tells nobody who it is (section 14.6.1)
        challenge=challenge,
        attestation=AttestationConveyancePreference(portal.attestation),
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.PREFERRED,
            user_verification=UserVerificationRequirement(portal.user_verification),
        ),
        exclude_credentials=[
            PublicKeyCredentialDescriptor(id=key.credential_id) for key in here.store.passkeys.of(subject)
        ],
    )
    return options_to_json(options)


def registered(response: str, challenge: bytes) -> Registered:
    """Return the credential that a browser has made for this challenge.

    Raises:
        Unproven: it is none, or of a model that the settings do not admit.
        Unavailable: the certificates that models are known by cannot be read.

    """
    here = world()
    portal = here.settings.portal
    _require_length("not-registered", response)
    roots = attestation.roots(portal)
    made = _judged(
        "not-registered",
        lambda: verify_registration_response(
            credential=response,
            expected_challenge=challenge,
            expected_rp_id=rp_id(here),
            expected_origin=own_origin(str(portal.url)),
            require_user_verification=portal.user_verification == "required",
            pem_root_certs_bytes_by_fmt=roots,
        ),
    )
    # A point that is not on its curve would be found out at the first sign-in, which is too late.
    _judged("not-registered", lambda: _read_key(made.credential_public_key))
    if portal.aaguids:
        doubt = _judged("model-not-allowed", lambda: attestation.doubt(made, portal.aaguids, trusted=bool(roots)))
        if doubt is not None:
            raise Unproven("model-not-allowed", f"{made.aaguid}, {doubt}")
    return Registered(
        made.credential_id,
        made.credential_public_key,
        made.sign_count,
        made.aaguid,
        _judged("not-registered", lambda: _transports(response)),
        made.credential_backed_up,
    )


def rp_id(here: World) -> str:
    """Return the RP id: as configured, or the host of the portal's address."""
    portal = here.settings.portal
    return portal.rp_id or urlsplit(str(portal.url)).hostname or ""


def _judged(why: str, judge: Callable[[], T]) -> T:
    """Return what the library makes of what came from outside.

    Whatever exception comes of that, it is no fault of ours: a stranger may write any octets, and several decoders look
    at them.

    Raises:
        Unproven: there was one.

    """
    try:
        return judge()
    except Exception as wrong:  # noqa: BLE001 - as above: CBOR, X.509 and keys each have their own
        raise Unproven(why, f"{type(wrong).__name__}: {wrong}"[:200]) from None


def _request(credentials: list[bytes], challenge: bytes) -> str:
    here = world()
    return options_to_json(
        generate_authentication_options(
            rp_id=rp_id(here),
            challenge=challenge,
            allow_credentials=[PublicKeyCredentialDescriptor(id=each) for each in sorted(credentials)],
            user_verification=UserVerificationRequirement(here.settings.portal.user_verification),
        )
    )


def _credentials(subject: str) -> list[bytes]:
    return [key.credential_id for key in world().store.passkeys.of(subject) if key.active]


def _plain(here: World, name: str) -> bytes:
    """Return what decoys are made of: the same for all forms of a name that the directory does not tell apart.

    Or the keys of a person would be those that stay the same from one form of their name to the other. With several
    directories a realm says whom a name means, and belongs to it.
    """
    sections = here.settings.directory
    if len(sections) == 1:
        name = bare_user(name, sections[0].realms, sections[0].domains)
    return folded(name).encode()


def _decoy(here: World, number: int, seed: bytes) -> bytes:
    """Return a credential id that nobody has, of a length that it may well have."""
    derive = here.store.sessions.derive
    octets = derive(b"decoy %d" % number, seed) + derive(b"decoy %d more" % number, seed)
    return octets[: _ID_LENGTHS[derive(b"decoy %d length" % number, seed)[0] % len(_ID_LENGTHS)]]


def _credential_id(response: str) -> bytes:
    _require_length("not-signed", response)
    return _judged("not-signed", lambda: base64url_to_bytes(json.loads(response)["rawId"]))


def _require_length(why: str, response: str) -> None:
    if len(response) > _LONGEST:
        raise Unproven(why, "too long")


def _read_key(public_key: bytes) -> None:
    decoded_public_key_to_cryptography(decode_credential_public_key(public_key))


def _transports(response: str) -> tuple[str, ...]:
    """Return how the key is reached, as far as the browser tells it in words that there are."""
    said = json.loads(response)["response"].get("transports")
    return tuple(sorted(_TRANSPORTS.intersection(map(str, said)))) if isinstance(said, list) else ()

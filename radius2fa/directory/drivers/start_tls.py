"""Owns how TLS begins on a connection, at once or by StartTLS (RFC 4511 section 4.14), whichever library speaks LDAP.

Before the server has proven who it is, anybody may be answering. So pyasn1's strict decoder reads that answer: ldap3's
fast one takes for granted that nobody builds an answer to keep it busy, and libldap's is written in C.
"""

import ssl

from ldap3.protocol.rfc4511 import LDAPMessage
from pyasn1.codec.ber.decoder import decode

from radius2fa.directory.ber import size_of
from radius2fa.directory.diagnosis import SUCCESS
from radius2fa.directory.drivers.wire import Wire
from radius2fa.directory.endpoint import Endpoint
from radius2fa.directory.link import Broken
from radius2fa.directory.terms import Result

_NAME = b"1.3.6.1.4.1.1466.20037"
_NUMBER = 1
_REQUEST = bytes([0x30, len(_NAME) + 7, 0x02, 1, _NUMBER, 0x77, len(_NAME) + 2, 0x80, len(_NAME)]) + _NAME
_LOT = 4096  # octets


def begin_tls(wire: Wire, endpoint: Endpoint, context: ssl.SSLContext, doubts: str) -> None:
    """Begin TLS, by StartTLS where the server does not expect it at once; `doubts` is as in `Wire.secure`.

    Raises:
        Broken: when there is none. Nothing but StartTLS has been sent then.

    """
    try:
        if not endpoint.tls:
            ask_for_tls(wire)
        wire.secure(context, endpoint.host, doubts)
    except Broken as broken:
        raise Broken(broken.cause, sent=False, late=broken.late) from broken


def ask_for_tls(wire: Wire) -> None:
    """Ask the server to go on under TLS, as the first thing on a connection.

    Raises:
        Broken: when it will not.

    """
    result = _answer(wire)
    if result.code != SUCCESS:
        raise Broken(f"StartTLS was refused: {result}", sent=False)


def _answer(wire: Wire) -> Result:
    """Return what the server says, if it says no more than that.

    Whoever is between us and the server could answer at once what we shall ask under TLS.
    """
    wire.sendall(_REQUEST)
    octets = b""
    try:
        while not 0 < size_of(octets) <= len(octets):
            octets += wire.recv(_LOT)
        message, behind = decode(octets, asn1Spec=LDAPMessage())
        operation = message["protocolOp"]
        answered = (int(message["messageID"]), operation.getName(), behind) == (_NUMBER, "extendedResp", b"")
        body = operation.getComponent()
        result = Result(int(body["resultCode"]), bytes(body["diagnosticMessage"]).decode(errors="replace"))
    except Broken:
        raise
    except Exception:  # noqa: BLE001 - pyasn1 meets octets that are no LDAP with whatever its reading fails on
        raise Broken("the answer cannot be read", sent=True) from None
    if not answered:
        raise Broken("an answer to another question", sent=True)
    return result

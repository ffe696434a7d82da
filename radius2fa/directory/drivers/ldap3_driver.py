"""Owns one connection to one server: how ldap3 opens it, and how one request is exchanged for its answer.

Several of ldap3's defaults are dangerous. It follows referrals with the service account's password, checks no
certificate, and keeps passwords where its repr shows them. See `_connected` and `Ldap3Connection` for what is done
instead; passwords never come near it: see `simple_bind`.
"""

import contextlib
import math
import ssl
from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import quote

import ldap3
from ldap3.core.exceptions import LDAPException, LDAPSessionTerminatedByServerError

from radius2fa.directory.drivers.ldap3_operations import (
    Operation,
    external_bind_operation,
    found_of,
    result_of,
    search_operation_of,
)
from radius2fa.directory.drivers.line import FAREWELL, Line
from radius2fa.directory.endpoint import Endpoint
from radius2fa.directory.link import Broken, Dialling
from radius2fa.directory.resolve import first_connected
from radius2fa.directory.terms import Found, Result, Search
from radius2fa.directory.tls import client_context, doubts


class Ldap3Driver:
    """Opens connections by ldap3. The context of TLS is made once, for all of them."""

    def __init__(self, dialling: Dialling) -> None:
        """Read the certificates. Raises ValueError naming the key of a file that is unusable."""
        self._dialling = dialling
        self._context = client_context(dialling.tls)
        self._doubts = doubts(dialling.tls)

    def connect(self, endpoint: Endpoint, deadline: float) -> "Ldap3Connection":
        """Connect to the first of the server's addresses that answers. Raises Broken when none does in time."""
        opened = first_connected(
            endpoint, self._dialling, deadline, partial(_connected, endpoint, self._dialling.timeout)
        )
        return Ldap3Connection(opened, self._dialling, self._context, self._doubts)


class Ldap3Connection(Line):
    """One connection, as `link.Connection`.

    Requests go through ldap3's `send` and `get_response` rather than its `bind` and `search`, so that every message of
    an answer is seen.
    """

    def __init__(self, opened: ldap3.Connection, dialling: Dialling, context: ssl.SSLContext, doubts: str = "") -> None:
        """Take over a connection that ldap3 has opened. An answer takes `dialling.timeout` seconds at most."""
        super().__init__(opened.socket, dialling, context, doubts)
        self._ldap = opened
        self._ldap.socket = self._wire

    def search(self, search: Search, deadline: float) -> tuple[list[Found], Result]:
        """Exchange one search for the entries that were found, and the result. References elsewhere are not followed.

        Raises:
            Broken: when there is no result.

        """
        return self._exchange(search_operation_of(search), deadline)

    def bind_external(self, deadline: float) -> Result:
        """Exchange one bind as whom the transport knows us for its result. Raises Broken when there is none."""
        return self._exchange(external_bind_operation(), deadline)[1]

    def close(self) -> None:
        """Take leave, as far as that needs no waiting, and close."""
        self._wire.begin(self._clock() + FAREWELL)
        with contextlib.suppress(Broken):  # the other side sees the end anyway
            self._ldap.unbind()
        self._ldap.strategy.close()

    def _exchange(self, operation: Operation, deadline: float) -> tuple[list[Found], Result]:
        """Send a request, and read up to the message that ends it."""
        self._begin(deadline)
        try:
            others, last = self._ldap.get_response(
                self._ldap.send(operation.kind, operation.request, operation.controls)
            )
            exchanged = _read(operation, others, last)
        except Broken:
            raise
        except LDAPSessionTerminatedByServerError:
            raise Broken("the server takes leave", sent=True) from None  # RFC 4511 section 4.4.1
        except Exception:  # noqa: BLE001 - ldap3 meets octets that are no LDAP with whatever its reading fails on
            raise Broken("the answer cannot be read", sent=True) from None
        finally:
            self._ldap.request = None  # ldap3 keeps the last one there
        self._used = self._clock()
        return exchanged


def _read(operation: Operation, others: list[Mapping[str, Any]], last: Mapping[str, Any]) -> tuple[list[Found], Result]:
    """Return the answer, if it is the one to this request and no other."""
    if last["type"] != operation.answer or not operation.before.issuperset(each["type"] for each in others):
        raise Broken("an answer to another question", sent=True)
    return [found_of(each) for each in others if each["type"] == "searchResEntry"], result_of(last, others)


def _connected(endpoint: Endpoint, timeout: float, address: str, within: float) -> ldap3.Connection:
    """Return a connection to one address: ldap3 would try all that a name has, each for the whole time-out.

    An address that is a path is that of a socket of this machine.
    """
    host = f"ldapi://{quote(address, safe='')}" if address.startswith("/") else address
    opened = ldap3.Connection(
        # TLS is begun by us: ldap3's own check of the host name fails on addresses from Python 3.12 on.
        ldap3.Server(host, endpoint.port, get_info=ldap3.NONE, connect_timeout=within, allowed_referral_hosts=[]),
        client_strategy=ldap3.SYNC,  # ASYNC and REUSABLE look for an answer every 50 ms
        auto_bind=ldap3.AUTO_BIND_NONE,
        auto_referrals=False,
        auto_range=False,
        check_names=False,
        read_only=True,
        receive_timeout=math.ceil(timeout),  # for each read, until the wire has its deadline for the whole answer
        return_empty_attributes=False,
    )
    try:
        opened.open(read_server_info=False)
    except LDAPException as fault:
        if opened.socket is not None:
            opened.socket.close()
        late = isinstance(fault, TimeoutError)
        # ldap3 puts words of its own before those of the system: `...: [Errno 111] Connection refused`.
        cause = "no connection in time" if late else f"no connection: {str(fault).rpartition('] ')[2]}"
        raise Broken(cause, sent=False, late=late) from None
    return opened

"""A small DNS server on the loopback that tells SRV records, or fails as DNS does. Its octets are dnspython's."""

import contextlib
import socket
import struct
import threading
from types import TracebackType
from typing import Self

import dns.flags
import dns.message
import dns.rcode
import dns.rrset

ADDRESS = "127.0.0.1"
Srv = tuple[int, int, int, str]  # priority, weight, port, target with the dot at its end


class Dns:
    """A nameserver by UDP and TCP on one port. Use as a context manager.

    A name that was never served does not exist (NXDOMAIN); one that is served without a record has none (NODATA).
    `rcode` answers all questions by that code; `silent` answers none; `truncates` answers UDP by no more than the flag
    that sends the asker to TCP. While `answers` is cleared, questions wait. `asked` are the names and transports so
    far.
    """

    def __init__(self) -> None:
        self._zone: dict[str, tuple[int, tuple[Srv, ...]]] = {}
        self.rcode = dns.rcode.NOERROR
        self.silent = False
        self.truncates = False
        self.answers = threading.Event()
        self.answers.set()
        self.asked: list[tuple[str, str]] = []
        self._stream = socket.create_server((ADDRESS, 0))
        self.port = int(self._stream.getsockname()[1])
        self._datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._datagrams.bind((ADDRESS, self.port))
        self._threads = [threading.Thread(target=self._udp), threading.Thread(target=self._tcp)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        self.answers.set()
        self._stream.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(OSError):  # of a socket that was never connected; it wakes the thread all the same
            self._datagrams.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._stream.close()
        self._datagrams.close()

    def serve(self, name: str, *records: Srv, ttl: int = 600) -> None:
        """Tell these records of a name from now on."""
        self._zone[name] = (ttl, records)

    def forget(self, name: str) -> None:
        """Have a name exist no more."""
        del self._zone[name]

    def questions(self) -> list[str]:
        """The names that were asked for so far."""
        return [name for name, _ in self.asked]

    def _udp(self) -> None:
        with contextlib.suppress(OSError):
            while octets_from := self._datagrams.recvfrom(4096):
                octets, asker = octets_from
                if not octets:
                    return
                answer = self._answer(octets, "udp")
                if answer is not None:
                    self._datagrams.sendto(answer, asker)

    def _tcp(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                stream, _ = self._stream.accept()
                with stream, stream.makefile("rb") as file:
                    (length,) = struct.unpack("!H", file.read(2))  # RFC 1035 section 4.2.2
                    answer = self._answer(file.read(length), "tcp")
                    if answer is not None:
                        stream.sendall(struct.pack("!H", len(answer)) + answer)

    def _answer(self, octets: bytes, transport: str) -> bytes | None:
        query = dns.message.from_wire(octets)
        name = query.question[0].name.to_text(omit_final_dot=True).lower()
        self.asked.append((name, transport))
        self.answers.wait()
        if self.silent:
            return None
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA
        response.set_rcode(self.rcode)
        ttl, records = self._zone.get(name, (0, None))
        if self.truncates and transport == "udp":
            response.flags |= dns.flags.TC
        elif self.rcode == dns.rcode.NOERROR and records is None:
            response.set_rcode(dns.rcode.NXDOMAIN)
        elif self.rcode == dns.rcode.NOERROR and records:
            lines = [" ".join(map(str, record)) for record in records]
            response.answer.append(dns.rrset.from_text_list(query.question[0].name, ttl, "IN", "SRV", lines))
        return response.to_wire()

"""Owns a log line as a message of syslog (RFC 5424), and how messages are parted on a stream (RFC 6587, RFC 5425).

The fields of a line are JSON in MSG. They are no structured data, whose names need a number of the IANA's that is one's
own (section 7.2.2); of structured data there is `meta` with a number that counts up (section 7.3.1), by which the other
side sees that lines are missing.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

FACILITIES = {"daemon": 3, "auth": 4, "authpriv": 10, **{f"local{number}": 16 + number for number in range(8)}}
LONGEST = 8192  # octets: what receivers should take (RFC 5425 section 4.3.1)

_SEVERITIES = {"critical": 2, "error": 3, "warning": 4, "info": 6, "debug": 7}
_BOM = b"\xef\xbb\xbf"  # section 6.4: what follows is UTF-8
_NOT_PRINTABLE = re.compile(r"[^!-~]")  # PRINTUSASCII, section 6
_LAST_NUMBER = 2147483647  # of sequenceId, section 7.3.1
_SHORT = 64  # characters of each value, where a message would be too long otherwise
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z")


@dataclass(frozen=True, slots=True)
class Origin:
    """Whom messages come from: a number of RFC 5424 for the facility, host, program, and number of the process."""

    facility: int
    host: str
    program: str
    process: int

    def header(self, level: str, time: str, event: str) -> str:
        """Return HEADER without the octets that anybody outside could have chosen."""
        priority = self.facility * 8 + _SEVERITIES.get(level, 6)
        when = time if _TIME.fullmatch(time) else "-"
        return (
            f"<{priority}>1 {when} {_name(self.host, 255)} {_name(self.program, 48)} {self.process} {_name(event, 32)}"
        )


def message(line: Mapping[str, object], origin: Origin, number: int) -> bytes:
    """Return a line as a message of at most `LONGEST` octets. `number` counts the messages from 1 on.

    MSG is JSON in ASCII: whatever a value holds, no octet of it ends a message, steers a terminal or turns the
    direction of writing.
    """
    fields = dict(line)
    level, time, event = (str(fields.pop(name, "")) for name in ("level", "time", "event"))
    head = f'{origin.header(level, time, event)} [meta sequenceId="{(number - 1) % _LAST_NUMBER + 1}"] '.encode("ascii")
    for body in (fields, {name: _short(value) for name, value in fields.items()}, {}):
        text = json.dumps({"event": event[:_SHORT] if not body else event, **body}, default=repr)
        made = head + _BOM + text.encode("ascii")
        if len(made) <= LONGEST:
            return made
    return made


def framed(octets: bytes) -> bytes:
    """Return a message as it goes over a stream: with the number of its octets before it (RFC 6587 section 3.4.1)."""
    return b"%d %b" % (len(octets), octets)


def _name(text: str, most: int) -> str:
    """Return a name as HEADER may hold it: a hyphen in the place of all else."""
    return _NOT_PRINTABLE.sub("-", text[:most]) or "-"


def _short(value: object) -> object:
    """Return a value that is shown in part, where it is long."""
    if value is None or isinstance(value, bool | int | float):
        return value
    text = value if isinstance(value, str) else json.dumps(value, default=repr)
    return text if len(text) <= _SHORT else f"{text[:_SHORT]}..."

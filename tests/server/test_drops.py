import io
import json

from structlog.typing import FilteringBoundLogger

from radius2fa.config.model import Log
from radius2fa.radius.packet import Drop
from radius2fa.server.drops import Drops, Silence
from radius2fa.server.logs import open_log


class Watch:
    def __init__(self) -> None:
        self.stream = io.StringIO()
        self.now = 0.0

    @property
    def log(self) -> FilteringBoundLogger:
        return open_log(Log(format="json"), self.stream)

    @property
    def lines(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]


def test_a_drop_is_counted_and_told_with_client_cause_and_remedy() -> None:
    watch = Watch()
    drops = Drops(watch.log, lambda: watch.now)
    drops.drop(Drop.NO_MESSAGE_AUTHENTICATOR, "vpn", b"\x01\x07", "192.0.2.1", "unsigned")
    (line,) = watch.lines
    assert {key: line[key] for key in ("event", "level", "client", "received", "address", "why")} == {
        "event": "dropped",
        "level": "warning",
        "client": "vpn",
        "received": "ACCESS_REQUEST id=7",
        "address": "192.0.2.1",
        "why": "no-message-authenticator",
    }
    assert "require_message_authenticator = false" in str(line["remedy"])
    assert drops.counts == {("no-message-authenticator", "vpn"): 1}


def test_a_flood_fills_the_counter_not_the_log() -> None:
    watch = Watch()
    drops = Drops(watch.log, lambda: watch.now)
    for number in range(1000):
        watch.now = number * 0.004  # four seconds in all
        drops.drop(Silence.UNKNOWN_CLIENT, "", b"\xff\x09", f"198.51.100.{number % 256}")
    watch.now = 5.0
    drops.drop(Silence.UNKNOWN_CLIENT, "", b"", "198.51.100.1")
    first, second = watch.lines
    assert "also" not in first
    assert (first["received"], second["received"]) == ("code=255 id=9", "datagram")
    assert second["also"] == "999 more since the last such line"
    assert drops.counts == {("unknown-client", ""): 1001}


def test_the_drops_of_one_client_do_not_hide_those_of_another() -> None:
    watch = Watch()
    drops = Drops(watch.log, lambda: watch.now)
    for client in ("vpn", "wifi", "vpn"):
        drops.drop(Drop.WRONG_MESSAGE_AUTHENTICATOR, client, b"\x01\x01", "192.0.2.1")
    assert [line["client"] for line in watch.lines] == ["vpn", "wifi"]


def test_by_which_a_request_can_be_followed_is_in_its_line() -> None:
    watch = Watch()
    drops = Drops(watch.log, lambda: watch.now)
    for number in range(3):
        drops.drop(Silence.LATE, "vpn", b"\x01\x07", "192.0.2.1", traits={"id": f"{number}"})
    (line,) = watch.lines
    assert (line["why"], line["id"]) == ("waited-too-long", "0")

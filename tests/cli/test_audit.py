import csv
import io
import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from radius2fa.cli.audit import Form, show
from radius2fa.cli.audited import LOGINS, logins_of
from radius2fa.config.load import load
from radius2fa.login.ports import Record, Result
from radius2fa.login.reason import Reason
from radius2fa.login.stages import Stages
from radius2fa.store.engine import Store
from tests.cli.helpdesk import Helpdesk

STAGES = Stages(0.125, 1.5, 0.25, 12.0, 0.75)
HOSTILE = '=evil\x1b[2J\r\n\u202e\x7f,"x'


def log_in(
    store: Store, name: str, ago: float = 0.0, client: str = "vpn", reason: Reason | None = Reason.WRONG_CODE
) -> None:
    result = Result.ACCEPT if reason is None else Result.REJECT
    record = Record(
        *(f"id-of-{name}", time.time() - ago, client, name, "192.0.2.7", result, reason, "subject", "phone", "staff"),
        factor="totp",
        person=name.upper(),
        serial="SN-1",
        stages=STAGES,
    )
    store.ledger.refuse(record, None, None)


@pytest.fixture
def logins(desk: Helpdesk) -> Helpdesk:
    """A desk whose journal has four logins."""
    with desk.store() as store:
        log_in(store, "alice", ago=7200.0, client="wlan")
        log_in(store, "bob", ago=1800.0, reason=None)
        log_in(store, "carol", reason=Reason.NO_TOKEN)
        log_in(store, "dave")
    return desk


def lines(desk: Helpdesk, *options: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in desk.says("audit", *options, "--json").splitlines()]


def execute(desk: Helpdesk, statement: str) -> None:
    with closing(sqlite3.connect(desk.config.with_name("radius2fa.db"), isolation_level=None)) as connection:
        connection.execute(statement)


def test_logins_are_shown_the_oldest_first_with_who_where_how_and_why(logins: Helpdesk) -> None:
    heading, _, *rows = logins.says("audit").splitlines()
    assert heading.split() == [*LOGINS.headings]
    assert [row.split()[3] for row in rows] == ["id-of-alice", "id-of-bob", "id-of-carol", "id-of-dave"]
    for word in ("wlan", "alice (ALICE)", "192.0.2.7", "reject", "totp", "SN-1", "staff", "wrong-code", "15 ms"):
        assert word in rows[0]


def test_of_a_login_programs_are_told_everything(logins: Helpdesk) -> None:
    login = lines(logins, "--user", "dave")[0]
    assert login.pop("when").endswith("Z")
    assert login == {
        "id": "id-of-dave",
        "node": "",
        "client": "vpn",
        "name": "dave",
        "person": "DAVE",
        "subject": "subject",
        "source": "192.0.2.7",
        "policy": "staff",
        "factor": "totp",
        "token": "phone",
        "serial": "SN-1",
        "result": "reject",
        "reason": "wrong-code",
        "queue_ms": 0.125,
        "look_up_ms": 1.5,
        "code_ms": 0.25,
        "bind_ms": 12.0,
        "store_ms": 0.75,
    }


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (["--user", "aro"], ["carol"]),
        (["--client", "wlan"], ["alice"]),
        (["--result", "accept"], ["bob"]),
        (["--reason", "no-token"], ["carol"]),
        (["--since", "1h"], ["bob", "carol", "dave"]),
        (["--until", "1h"], ["alice"]),
        (["--since", "90m", "--until", "10m"], ["bob"]),
        (["--since", "2020-01-01", "--last", "2"], ["carol", "dave"]),
        (["--user", "nobody"], []),
    ],
)
def test_filters_say_which_logins_are_meant(logins: Helpdesk, options: list[str], names: list[str]) -> None:
    assert [login["name"] for login in lines(logins, *options)] == names


def test_acts_are_shown_with_who_did_them_and_where(desk: Helpdesk) -> None:
    desk.says("user", "bypass", "alice", "--for", "1h")
    (act,) = lines(desk, "--acts")
    assert (act["what"], act["name"], act["node"]) == ("bypass-given", "alice", load(desk.config).server.node)
    assert act["who"].startswith("cli:")
    assert "bypass-given" in desk.says("audit", "--acts", "--user", "ALI")
    assert lines(desk, "--acts", "--user", "bob") == []


@pytest.mark.parametrize("options", [["--json", "--csv"], ["--acts", "--client", "vpn"], ["--since", "soon"]])
def test_what_does_not_fit_together_is_wrong_usage(desk: Helpdesk, options: list[str]) -> None:
    assert desk.run("audit", *options).exit_code in {2, 64}  # Typer's own 2 becomes 64 in the program


@pytest.mark.parametrize("option", ["--since", "--until"])
def test_what_is_no_time_is_refused_by_the_options_name_with_every_way_to_write_one(
    desk: Helpdesk, option: str
) -> None:
    said = " ".join(desk.run("audit", option, "1x").output.replace("│", " ").split())
    assert f"{option}: '1x' is no time: write a day as 2027-12-31" in said
    assert "or a span of time before now, as 1h or 7d" in said


@pytest.mark.parametrize("form", [[], ["--json"], ["--csv"]])
def test_nothing_that_a_stranger_typed_steers_a_terminal_or_begins_a_line(desk: Helpdesk, form: list[str]) -> None:
    with desk.store() as store:
        log_in(store, HOSTILE)
    shown = desk.says("audit", *form)
    assert all(letter.isprintable() for line in shown.replace("\r\n", "\n").split("\n") for letter in line)
    assert len(shown.splitlines()) == {"--json": 1, "--csv": 2}.get("".join(form), 3)


def test_a_spreadsheet_computes_nothing(desk: Helpdesk) -> None:
    with desk.store() as store:
        log_in(store, "=1+1")
    titles, row = csv.reader(io.StringIO(desk.says("audit", "--csv")))
    assert titles == [*LOGINS.titles]
    assert dict(zip(titles, row, strict=True))["name"] == "'=1+1"


def test_new_rows_are_followed_as_they_come(logins: Helpdesk, capsys: pytest.CaptureFixture[str]) -> None:
    with logins.store() as store:
        steps: Iterator[None] = iter(_coming(store))

        def pause(_: float) -> None:
            try:
                next(steps)
            except StopIteration:
                raise KeyboardInterrupt from None

        rows = logins_of(store, "", "vpn", None, None, None, None)
        show(LOGINS, rows, Form.JSON, 1, follow=True, pause=pause)
    assert [json.loads(line)["name"] for line in capsys.readouterr().out.splitlines()] == ["dave", "erin", "frank"]


def _coming(store: Store) -> Iterator[None]:
    yield None
    log_in(store, "erin")
    yield None
    log_in(store, "mallory", client="wlan")
    log_in(store, "frank")
    yield None
    yield None


# verify and head


def test_a_record_that_holds_is_said_to(logins: Helpdesk) -> None:
    assert logins.says("audit", "verify") == "4 rows in 1 chain proven.\n"
    assert logins.knows("audit", "verify") == {
        "holds": True,
        "rows": 4,
        "chains": 1,
        "before": 0,
        "faults": [],
        "heads": [],
    }


def test_a_row_that_was_changed_is_named_and_ends_with_1(logins: Helpdesk) -> None:
    execute(logins, "UPDATE journal SET result = 'accept', reason = NULL WHERE name = 'carol'")
    result = logins.run("audit", "verify")
    assert result.exit_code == 1
    assert result.stdout.startswith("changed: journal of /server/0, place 3, row 3, 20")
    assert "the record was tampered with" in result.stdout
    told = json.loads(logins.run("audit", "verify", "--json").stdout)
    assert [(fault["finding"], fault["sequence"], fault["number"]) for fault in told["faults"]] == [("changed", 3, 3)]


def test_rows_from_before_the_chains_are_counted(desk: Helpdesk) -> None:
    execute(
        desk,
        "INSERT INTO journal (attempt, at, client, name, source, result) VALUES ('a', 1, 'c', 'n', 's', 'reject')",
    )
    assert desk.says("audit", "verify").splitlines()[0] == "1 rows are older than the chains: nothing proves them."


@pytest.mark.parametrize("options", [[], ["--json"]], ids=["text", "json"])
def test_a_head_that_was_exported_is_found_again_and_missed_when_cut_off(
    logins: Helpdesk, tmp_path: Path, options: list[str]
) -> None:
    file = tmp_path / "heads"
    file.write_text(logins.says("audit", "head", *options))
    with logins.store() as store:
        log_in(store, "erin")
    assert "head 4 of journal of /server/0: there\n" in logins.says("audit", "verify", "--head", str(file))
    execute(logins, "DELETE FROM journal")
    execute(logins, "DELETE FROM chain")
    result = logins.run("audit", "verify", "--head", str(file))
    assert (result.exit_code, result.stdout.splitlines()[0]) == (1, "head 4 of journal of /server/0: not there")


def test_a_file_with_the_head_of_a_broken_chain_tells_of_the_others(logins: Helpdesk, tmp_path: Path) -> None:
    logins.says("user", "bypass", "alice", "--for", "1h")  # a chain of its own
    with closing(sqlite3.connect(logins.config.with_name("radius2fa.db"))) as connection, connection:
        connection.execute("UPDATE chain SET hash = 'x' WHERE book = 'journal' AND writer = '/server/0'")
    file = tmp_path / "heads"
    file.write_text(logins.says("audit", "head"))
    result = logins.run("audit", "verify", "--head", str(file))
    assert (result.exit_code, result.stdout.splitlines()[0].split(":")[0]) == (1, "head changed")
    assert "head 1 of act of " in result.stdout


@pytest.mark.parametrize("text", ["", "4 zz journal x", "[1]", "{}", "four 00 journal x"])
def test_a_file_without_heads_is_wrong_usage(desk: Helpdesk, tmp_path: Path, text: str) -> None:
    file = tmp_path / "heads"
    file.write_text(text)
    assert desk.run("audit", "verify", "--head", str(file)).exit_code == 64
    assert desk.run("audit", "verify", "--head", str(file) + "x").exit_code == 64

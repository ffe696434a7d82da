import re
import time
from datetime import datetime

import pytest

from radius2fa.otp.token import Kind
from tests.cli.helpdesk import Helpdesk
from tests.cli.issued import LETTERS, answers
from tests.servers.slapd import Slapd, person_dn

TIME = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \S+"


@pytest.fixture
def desk(desk: Helpdesk) -> Helpdesk:
    """A person at the command line of an installation that has a portal."""
    desk.config.write_text(desk.config.read_text() + '\n[portal]\nurl = "https://otp.example.org"\n')
    return desk


def test_an_invitation_is_good_for_a_week_and_shown_once(desk: Helpdesk, slapd: Slapd) -> None:
    output = desk.says("token", "invite", "ALICE")
    shown = re.fullmatch(
        rf"Invitation: ({LETTERS})\nalice can sign in with it once, beside the password, at https://otp\.example\.org, "
        rf"until {TIME}\. It is not shown again\.\n",
        output,
    )
    assert shown is not None
    assert answers(desk, slapd, shown[1]) is Kind.INVITATION
    assert answers(desk, slapd, shown[1], later=7 * 86400 - 60) is Kind.INVITATION
    assert answers(desk, slapd, shown[1], later=7 * 86400) is None
    assert shown[1] not in desk.says("user", "show", "alice") + desk.says("user", "show", "alice", "--json")


def test_an_invitation_lasts_as_long_as_told_and_is_shown_with_the_person(desk: Helpdesk, slapd: Slapd) -> None:
    known = desk.knows("token", "invite", "alice", "--valid", "30d")
    until = known.pop("valid_until")
    assert 30 * 86400 - 60 < datetime.fromisoformat(until).timestamp() - time.time() <= 30 * 86400
    assert answers(desk, slapd, known.pop("code")) is Kind.INVITATION
    assert known == {"user": "alice", "subject": slapd.entry_uuid("alice"), "portal": "https://otp.example.org"}
    assert re.search(rf"^Invitation +open until {TIME}$", desk.says("user", "show", "alice"), re.MULTILINE)
    invitation = desk.knows("user", "show", "alice")["invitation"]
    assert (invitation["uses"], invitation["used"], invitation["valid_until"]) == (1, 0, until)
    [act] = desk.knows("user", "show", "alice")["administration"]
    assert (act["what"], act["token"]) == ("invitation-made", invitation["id"])


def test_an_invitation_is_no_token(desk: Helpdesk) -> None:
    desk.says("token", "invite", "alice")
    assert desk.knows("token", "list") == []
    assert desk.knows("user", "show", "alice")["temporary_codes"] == []


def test_of_several_invitations_the_last_is_good(desk: Helpdesk, slapd: Slapd) -> None:
    codes = [desk.knows("token", "invite", "alice")["code"] for _ in range(2)]
    assert [answers(desk, slapd, code) for code in codes] == [None, Kind.INVITATION]


def test_an_invitation_is_revoked(desk: Helpdesk, slapd: Slapd) -> None:
    code = desk.knows("token", "invite", "alice")["code"]
    assert desk.says("token", "invite", "alice", "--revoke") == "alice: the invitation is over.\n"
    assert answers(desk, slapd, code) is None
    assert desk.knows("user", "show", "alice")["invitation"] is None
    assert desk.says("token", "invite", "alice", "--revoke") == "alice had no open invitation.\n"
    desk.says("token", "invite", "alice")
    known = desk.knows("token", "invite", "alice", "--revoke")
    assert known == {"user": "alice", "subject": slapd.entry_uuid("alice"), "revoked": True}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--revoke", "--valid", "1h"], "--revoke ends an invitation and makes none: leave --valid out"),
        (["--valid", "31d"], "--valid: an invitation lasts 30d at most"),
    ],
)
def test_what_cannot_be_is_refused(desk: Helpdesk, arguments: list[str], sentence: str) -> None:
    result = desk.run("token", "invite", "alice", *arguments)
    assert (result.exit_code, result.stderr) == (64, f"radius2fa: {sentence}\n")
    assert desk.knows("user", "show", "alice")["invitation"] is None


def test_where_there_is_no_portal_nobody_is_invited(desk: Helpdesk) -> None:
    desk.config.write_text(desk.config.read_text().partition("[portal]")[0])
    result = desk.run("token", "invite", "alice")
    sentence = "radius2fa: there is no portal to be invited to: `url` of [portal] is not set\n"
    assert (result.exit_code, result.stderr) == (1, sentence)
    assert desk.says("token", "invite", "alice", "--revoke") == "alice had no open invitation.\n"


def test_where_nobody_may_enrol_nobody_is_invited(desk: Helpdesk) -> None:
    desk.config.write_text(desk.config.read_text() + 'enrolment = "closed"\n')
    result = desk.run("token", "invite", "alice")
    sentence = 'radius2fa: the portal takes no invitations: `enrolment` of [portal] is "closed"\n'
    assert (result.exit_code, result.stderr) == (1, sentence)


def test_who_has_left_is_invited_no_more_and_an_invitation_of_theirs_can_be_revoked(
    desk: Helpdesk, slapd: Slapd
) -> None:
    slapd.add_person("dora", "secret")
    desk.says("token", "invite", "dora")
    slapd.delete(person_dn("dora"))
    result = desk.run("token", "invite", "dora")
    assert (result.exit_code, result.stderr) == (1, "radius2fa: dora: nobody has this name\n")
    assert desk.says("token", "invite", "dora", "--revoke") == "dora: the invitation is over.\n"

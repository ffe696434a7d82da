import csv
import io

import pytest

from radius2fa.enrol.formats.rows import Format
from radius2fa.enrol.formats.source import LONGEST
from tests.enrol.formats.reading import SEED, SEED_HEX, read

GOOD = f"A1,{SEED_HEX},totp,6,30,0\n"


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        "\ufeff" + GOOD,
        GOOD.replace("\n", "\r\n"),
        GOOD.replace(",", ";"),
        GOOD.replace(",", ", "),
        GOOD.rstrip("\n"),
        GOOD.replace("\n", ",,,\n"),
        f"serial,seed,kind,,,\nA1,{SEED_HEX},totp,,,\n",
        '"' + GOOD.replace(",", '","').replace("\n", '"\n'),
        "\n\n# a note\n" + GOOD + "\n,,,,,\n",
        "\ufeffserial;seed;kind\r\n" + f"A1;{SEED_HEX};totp\r\n",
    ],
)
def test_one_row_may_be_written_in_many_ways(text: str) -> None:
    for dribble in (False, True):
        outcome = read(text, Format.OATH if dribble else None, dribble=dribble)
        assert outcome.rejected == []
        assert outcome.token.key == SEED
        assert outcome.drafts[0].serial == "A1"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"A2,\xe4," + SEED_HEX.encode(), "the line is not UTF-8 (Latin-1, perhaps): save the file as UTF-8"),
        (b"A2,\0" + SEED_HEX.encode(), "the line holds a NUL octet: the file is damaged, or not text"),
        (b'A2,"' + SEED_HEX.encode(), "the quotation marks of the line do not match"),
        (b'A2,"a"b,' + SEED_HEX.encode(), "the quotation marks of the line do not match"),
        (b"A2," + b"31" * LONGEST, "the line is longer than 64 KiB: no row is, and only its beginning is kept"),
    ],
)
def test_a_line_that_is_no_row_is_rejected_and_the_others_come_in(line: bytes, reason: str) -> None:
    outcome = read(GOOD.encode() + line + b"\n" + GOOD.replace("A1", "A3").encode())
    assert outcome.reasons == [(2, reason)]
    assert [draft.serial for draft in outcome.drafts] == ["A1", "A3"]


def test_a_file_that_ends_within_a_row_does_not_give_half_a_token() -> None:
    outcome = read(GOOD + GOOD.replace("A1", "A2")[:-6])
    assert outcome.reasons == [(2, "the file ends within this row: get the whole file")]
    outcome = read(f"serial,seed,kind,digits\nA1,{SEED_HEX},totp")
    assert outcome.reasons == [(2, "the file ends within this row: get the whole file")]


def rows(content: bytes, delimiter: str = ",") -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode()), delimiter=delimiter))


def test_rejected_rows_of_a_file_without_header_get_one_and_the_reason_behind() -> None:
    outcome = read(f"{GOOD}A2,oops!,totp\nA3,{SEED_HEX},hotp,7,5\n")
    assert rows(outcome.leftovers) == [
        ["serial", "seed", "kind", "digits", "period", "counter", "reason"],
        ["A2", "oops!", "totp", "", "", "", "the seed is neither hexadecimal nor base32"],
        ["A3", SEED_HEX, "hotp", "7", "", "5", "the length of the codes is not 6 or 8 digits"],
    ]


def test_rejected_rows_keep_the_titles_and_the_delimiter_of_their_file() -> None:
    outcome = read(f"Serial No;Secret;Type;Manufacturer\n1;{SEED_HEX};none;ACME; Inc\n2;{SEED_HEX};none;x\n")
    assert rows(outcome.leftovers, ";") == [
        ["Serial No", "Secret", "Type", "Manufacturer", "reason"],
        ["1", SEED_HEX, "none", "ACME", "Inc", "the row has 5 fields, and the file 4 columns"],
        ["2", SEED_HEX, "none", "x", "the kind is not totp or hotp"],
    ]


def test_rejected_rows_can_be_corrected_and_imported() -> None:
    first = read(f"{GOOD}A2,{SEED_HEX},time-based,8,60\n")
    corrected = first.leftovers.replace(b"time-based", b"totp")
    second = read(corrected)
    assert second.rejected == []
    assert second.drafts[0].serial == "A2"
    assert (second.token.digits, second.token.period) == (8, 60)


def test_rows_that_were_not_corrected_are_rejected_again_with_one_reason() -> None:
    first = read(f"{GOOD}A2,oops!,totp\nA3,{SEED_HEX},nothing\n")
    second = read(first.leftovers)
    assert second.drafts == []
    assert second.leftovers == first.leftovers


def test_lines_that_are_no_rows_are_kept_as_they_are() -> None:
    damaged = b'A2,"\xe4,' + SEED_HEX.encode()
    outcome = read(GOOD.encode() + damaged + b"\n")
    assert outcome.leftovers.splitlines()[1].startswith(damaged + b",")


def test_of_a_line_without_end_only_a_note_is_kept() -> None:
    outcome = read(GOOD.encode() + b"x" * 10 * LONGEST)
    assert outcome.leftovers.splitlines()[1] == (
        b"# line 2: the line is longer than 64 KiB: no row is, and only its beginning is kept"
    )
    assert read(outcome.leftovers).rejected == []


def test_no_reason_repeats_a_field() -> None:
    secret = "31415926535897932384626433832795"
    fields = [f"A1,{SEED_HEX},totp,6,30,0"]
    fields += [",".join(secret if at == place else "1" for at in range(6)) for place in range(6)]
    outcome = read("\n".join(fields) + "\n")
    assert len(outcome.rejected) == 6
    assert not any(secret in one.reason + one.detail + repr(one) for one in outcome.rejected)

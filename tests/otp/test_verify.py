from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radius2fa.otp.issued import digest_of
from radius2fa.otp.oath import code_at
from radius2fa.otp.token import DIGITS, OATH, PERIODS, Algorithm, Factor, IssuedCode, Kind, Token, YubiKey
from radius2fa.otp.verify import WRONG, Match, Stray, Used, Verdict, Windows, check, resync
from tests.otp import oathtool
from tests.otp.touched import touched

SEED = b"12345678901234567890"
HOTP = Token("hotp", Kind.HOTP, SEED)
HOTP_CODES = (
    b"755224 287082 359152 969429 338314 254676 287922 162583 399871 520489 403154 481090 868912 736127".split()
)
TOTP = Token("totp", Kind.TOTP, SEED)
TOTP_CODES = {
    47251640: b"166325",
    47251641: b"432730",
    47251644: b"942826",
    47251645: b"063321",
    47251646: b"306773",
    47251647: b"722053",
    47251648: b"032819",
    47251649: b"705493",
    47251650: b"589836",
}
NOW = 1_700_000_000.0


class Desk:
    """A token with somebody who writes down what each verdict asks for, as the store does."""

    def __init__(self, token: Factor, windows: Windows) -> None:
        self.token = token
        self.windows = windows

    def says(self, code: bytes, when: float) -> Verdict:
        verdict = check([self.token], code, when, self.windows, resync=True)
        match verdict:
            case Match(_, counter, drift) if isinstance(self.token, Token):
                self.token = replace(self.token, counter=counter + 1, drift=drift, remembered=None)
            case Match(_, counter, drift):
                assert drift == 0
                self.token = replace(self.token, counter=counter + 1)
            case Stray(_, counter):
                assert isinstance(self.token, Token)
                self.token = replace(self.token, remembered=counter, remembered_at=when)
        return verdict


def at(step: int) -> float:
    """The middle of a time step."""
    return step * 30.0 + 15.0


# The tables: HOTP


def test_a_hotp_code_works_once() -> None:
    desk = Desk(HOTP, Windows(hotp=10))
    assert desk.says(HOTP_CODES[3], NOW) == Match("hotp", 3, 0)
    assert desk.token.counter == 4
    assert desk.says(HOTP_CODES[3], NOW) == Used("hotp")
    assert desk.says(HOTP_CODES[0], NOW) == Used("hotp")


def test_two_hotp_codes_in_sequence_bring_a_token_back() -> None:
    desk = Desk(HOTP, Windows(hotp=5))
    assert desk.says(HOTP_CODES[8], NOW) == Stray("hotp", 8)
    assert desk.says(HOTP_CODES[9], NOW + 1) == Match("hotp", 9, 0)


def test_hotp_codes_with_a_gap_do_not() -> None:
    desk = Desk(HOTP, Windows(hotp=5))
    assert desk.says(HOTP_CODES[7], NOW) == Stray("hotp", 7)
    assert desk.says(HOTP_CODES[9], NOW + 1) == Stray("hotp", 9)


@pytest.mark.parametrize(("age", "verdict"), [(300.0, Match("hotp", 9, 0)), (300.5, Stray("hotp", 9))])
def test_the_first_code_is_remembered_for_the_resync_time(age: float, verdict: Verdict) -> None:
    desk = Desk(HOTP, Windows(hotp=5, resync_seconds=300.0))
    assert desk.says(HOTP_CODES[8], NOW) == Stray("hotp", 8)
    assert desk.says(HOTP_CODES[9], NOW + age) == verdict


def test_a_manual_resync_finds_two_hotp_codes_within_1000() -> None:
    assert resync(HOTP, HOTP_CODES[8], HOTP_CODES[9], NOW, 1000) == Match("hotp", 9, 0)


def test_a_manual_resync_within_5_does_not_find_them() -> None:
    assert resync(HOTP, HOTP_CODES[8], HOTP_CODES[9], NOW, 5) is None


# The tables: TOTP


def test_a_totp_token_is_brought_back_and_its_drift_is_learned() -> None:
    desk = Desk(replace(TOTP, counter=47251641), Windows(totp=1))
    assert desk.says(TOTP_CODES[47251649], at(47251644)) == Stray("totp", 47251649)
    assert desk.says(TOTP_CODES[47251650], at(47251645)) == Match("totp", 47251650, 5)
    assert isinstance(desk.token, Token)
    assert desk.token.drift == 5
    assert desk.says(TOTP_CODES[47251640], at(47251645)) == WRONG
    assert desk.says(TOTP_CODES[47251640], at(47251645)) == WRONG
    assert desk.says(TOTP_CODES[47251640], at(47251645)) == WRONG
    assert desk.says(TOTP_CODES[47251641], at(47251645)) == WRONG


def test_an_accepted_totp_code_is_refused_again() -> None:
    desk = Desk(TOTP, Windows())
    assert desk.says(TOTP_CODES[47251645], at(47251645)) == Match("totp", 47251645, 0)
    assert desk.says(TOTP_CODES[47251645], at(47251645)) == Used("totp")
    assert desk.says(TOTP_CODES[47251645], at(47251646)) == Used("totp")
    assert desk.says(TOTP_CODES[47251645], at(47251647)) == WRONG


def test_the_step_before_an_accepted_one_is_refused() -> None:
    desk = Desk(TOTP, Windows())
    assert desk.says(TOTP_CODES[47251646], at(47251645)) == Match("totp", 47251646, 1)
    assert desk.says(TOTP_CODES[47251645], at(47251645)) == Used("totp")


@pytest.mark.parametrize(
    ("clock", "verdict"),
    [
        (47251647, WRONG),
        (47251646, Match("totp", 47251645, -1)),
        (47251645, Match("totp", 47251645, 0)),
        (47251644, Match("totp", 47251645, 1)),
        (47251643, WRONG),
    ],
)
def test_the_totp_window_is_one_step_to_each_side(clock: int, verdict: Verdict) -> None:
    assert check([TOTP], TOTP_CODES[47251645], at(clock), Windows(), resync=False) == verdict


@pytest.mark.parametrize(
    ("clock", "verdict"),
    [
        (47251643, WRONG),
        (47251642, Match("totp", 47251645, 3)),
        (47251641, Match("totp", 47251645, 4)),
        (47251640, Match("totp", 47251645, 5)),
        (47251639, WRONG),
    ],
)
def test_the_totp_window_lies_around_the_learned_drift(clock: int, verdict: Verdict) -> None:
    assert check([replace(TOTP, drift=4)], TOTP_CODES[47251645], at(clock), Windows(), resync=False) == verdict


@pytest.mark.parametrize(
    ("clock", "verdict"),
    [
        (47251624, WRONG),
        (47251625, Stray("totp", 47251645)),
        (47251665, Stray("totp", 47251645)),
        (47251666, WRONG),
    ],
)
def test_the_totp_resync_window_is_twenty_steps_to_each_side(clock: int, verdict: Verdict) -> None:
    assert check([TOTP], TOTP_CODES[47251645], at(clock), Windows(), resync=True) == verdict


def test_a_totp_code_below_the_counter_is_not_remembered() -> None:
    token = replace(TOTP, counter=47251646)
    assert check([token], TOTP_CODES[47251645], at(47251650), Windows(), resync=True) == WRONG


# The tables: Yubico OTP, recovery and temporary codes

YUBIKEY = YubiKey("key", "", bytes.fromhex("000102030405060708090a0b0c0d0e0f"), bytes.fromhex("010203040506"))
YUBICO_CODES = {  # Yubico's test vectors
    256 * 1 + 1: b"dvgtiblfkbgturecfllberrvkinnctnn",
    256 * 1 + 2: b"rnibcnfhdninbrdebccrndfhjgnhftee",
    256 * 4095 + 1: b"iikkijbdknrrdhfdrjltvgrbkkjblcbh",
}


@pytest.mark.parametrize("last", YUBICO_CODES)
def test_a_yubico_code_is_accepted_above_the_last_one_and_used_below_it(last: int) -> None:
    desk = Desk(YUBIKEY, Windows())
    assert desk.says(YUBICO_CODES[last], NOW) == Match("key", last, 0)
    for counter, code in YUBICO_CODES.items():
        expected = Match("key", counter, 0) if counter > last else Used("key")
        assert check([desk.token], code, NOW, Windows(), resync=True) == expected


def test_a_touch_with_caps_lock_does_not_use_up_those_that_follow() -> None:
    """Codes of libyubikey's ykgenerate: use 8001 session 1, then use 1 session 255."""
    desk = Desk(YUBIKEY, Windows())
    assert desk.says(b"RUVDCNCITLJEDKIVHTVBHJGEJGJDEVBV", NOW) == Match("key", 256 + 1, 0)
    assert desk.says(b"ekghrbjivvudhuenkvedidjcieiftjjt", NOW) == Match("key", 256 + 255, 0)


@pytest.mark.parametrize(
    "code",
    [
        b"dvgtiblfkbgturecfllberrvkinnctn",
        b"dvgtiblfkbgturecfllberrvkinnctnnc",
        b"bngfetjbflfegtvfnhjngubjhevhetrh",  # a wrong CRC
        b"fgvnfhfjcbtleeftiilbilvrjnngljeb",  # another private id
    ],
)
def test_what_is_no_code_of_the_yubikeys_is_wrong(code: bytes) -> None:
    assert check([YUBIKEY], code, NOW, Windows(), resync=True) == WRONG


def issued(kind: Kind, code: bytes, id: str = "code", uses: int = 1) -> IssuedCode:  # noqa: A002 - the field's name
    key = b"a key of the master key's"
    return IssuedCode(id, kind, key, digest_of(key, id, code), uses=uses)


def test_a_recovery_code_works_once_however_it_is_written() -> None:
    desk = Desk(issued(Kind.RECOVERY, b"7k2mqx9f4c"), Windows())
    assert desk.says(b"7k2mq-x9f4d", NOW) == WRONG
    assert desk.says(b"7K2MQ-X9F4C", NOW) == Match("code", 0, 0)
    assert desk.says(b"7k2mqx9f4c", NOW) == Used("code")


def test_each_recovery_code_of_a_list_works() -> None:
    codes = [f"{number}k2mqx9f4c".encode() for number in range(10)]
    tokens = [issued(Kind.RECOVERY, code, id=code[:1].decode()) for code in codes]
    verdicts = [check(tokens, code, NOW, Windows(), resync=True) for code in codes]
    assert verdicts == [Match(str(number), 0, 0) for number in range(10)]


def test_an_invitation_is_read_as_a_recovery_code_and_a_login_code_as_a_temporary_one() -> None:
    desk = Desk(issued(Kind.INVITATION, b"7k2mqx9f4c"), Windows())
    assert desk.says(b"7K2MQ-X9F4C", NOW) == Match("code", 0, 0)
    assert desk.says(b"7k2mqx9f4c", NOW) == Used("code")
    desk = Desk(issued(Kind.PASSKEY, b"90817263"), Windows())
    assert desk.says(b"90817264", NOW) == WRONG
    assert desk.says(b"90817263", NOW) == Match("code", 0, 0)
    assert desk.says(b"90817263", NOW) == Used("code")


def test_a_temporary_code_works_as_often_as_it_may() -> None:
    desk = Desk(issued(Kind.TEMPORARY, b"90817263", uses=3), Windows())
    verdicts = [desk.says(b"90817263", NOW) for _ in range(4)]
    assert verdicts == [Match("code", 0, 0), Match("code", 1, 0), Match("code", 2, 0), Used("code")]
    assert desk.says(b"90817264", NOW) == WRONG


def test_a_digest_that_was_copied_to_another_row_opens_nothing() -> None:
    code = issued(Kind.TEMPORARY, b"90817263", id="hers")
    assert check([replace(code, id="his")], b"90817263", NOW, Windows(), resync=True) == WRONG
    assert check([replace(code, key=b"another")], b"90817263", NOW, Windows(), resync=True) == WRONG


# Beyond the tables


@pytest.mark.parametrize(
    ("counter", "verdict"), [(0, Match("hotp", 10, 0)), (10, Match("hotp", 10, 0)), (11, Used("hotp"))]
)
def test_the_hotp_window_is_ten_codes_ahead(counter: int, verdict: Verdict) -> None:
    assert check([replace(HOTP, counter=counter)], HOTP_CODES[10], NOW, Windows(), resync=False) == verdict
    assert check([HOTP], HOTP_CODES[11], NOW, Windows(), resync=False) == WRONG


def test_only_the_last_codes_of_a_hotp_token_are_called_used() -> None:
    assert check([replace(HOTP, counter=13)], HOTP_CODES[3], NOW, Windows(hotp=10), resync=True) == Used("hotp")
    assert check([replace(HOTP, counter=14)], HOTP_CODES[3], NOW, Windows(hotp=10), resync=True) == WRONG


def test_nothing_is_remembered_where_no_resync_is_wanted() -> None:
    assert check([HOTP], HOTP_CODES[12], NOW, Windows(), resync=False) == WRONG


def test_a_remembered_code_is_confirmed_also_where_no_resync_is_wanted() -> None:
    token = replace(HOTP, remembered=12, remembered_at=NOW)
    assert check([token], HOTP_CODES[13], NOW, Windows(hotp=5), resync=False) == Match("hotp", 13, 0)


def test_the_first_totp_code_is_confirmed_after_the_clock_has_moved_on() -> None:
    token = replace(TOTP, remembered=47251649, remembered_at=at(47251620))
    assert check([token], TOTP_CODES[47251650], at(47251621), Windows(), resync=True) == Match("totp", 47251650, 29)


def test_a_remembered_code_counts_no_more_when_the_counter_has_passed_it() -> None:
    token = replace(HOTP, counter=13, remembered=12, remembered_at=NOW)
    assert check([token], HOTP_CODES[13], NOW, Windows(hotp=0), resync=False) == Match("hotp", 13, 0)
    token = replace(token, counter=14)
    assert check([token], HOTP_CODES[13], NOW, Windows(hotp=0), resync=False) == WRONG


def test_a_code_beside_every_window_is_wrong() -> None:
    assert check([HOTP], b"000000", NOW, Windows(), resync=True) == WRONG


def test_nobody_without_tokens_has_a_right_code() -> None:
    assert check([], HOTP_CODES[0], NOW, Windows(), resync=True) == WRONG


@pytest.mark.parametrize(
    "code",
    [
        b"",
        b"55224",
        b"0755224",
        b"755224\n",
        b" 755224",
        b"755224 ",
        b"75522\n",
        b"+75522",
        b"75522a",
        b"7552_4",
        "７５５２２４".encode(),  # noqa: RUF001 - full-width digits, which pyotp takes
        "٧٥٥".encode(),  # noqa: RUF001 - Arabic digits, six octets
        "７５".encode(),  # noqa: RUF001 - six octets
    ],
)
def test_a_code_is_ascii_digits_of_the_exact_length(code: bytes) -> None:
    assert check([HOTP], code, NOW, Windows(), resync=True) == WRONG


@pytest.mark.parametrize("digits", [6, 8])
def test_a_code_is_tried_against_tokens_of_its_length_only(digits: int) -> None:
    long = replace(HOTP, id="8", digits=8)
    code = {6: b"755224", 8: b"84755224"}[digits]  # RFC 4226 appendix D: 1284755224
    fits, other = (long, HOTP) if digits == long.digits else (HOTP, long)
    other = replace(other, key=b"another")
    assert check([other, fits], code, NOW, Windows(), resync=True) == Match(fits.id, 0, 0)
    assert check([other], code, NOW, Windows(), resync=True) == WRONG


@pytest.mark.parametrize("order", [1, -1])
def test_the_best_verdict_of_several_tokens_wins(order: int) -> None:
    clock, used = replace(TOTP, id="clock"), replace(HOTP, id="used", counter=47251646)  # a button pressed that often
    other = replace(HOTP, id="other", key=b"another")
    code, near, far = TOTP_CODES[47251645], at(47251645), at(47251640)
    assert check([other, used, clock][::order], code, near, Windows(), resync=True) == Match("clock", 47251645, 0)
    assert check([clock, other, used][::order], code, far, Windows(), resync=True) == Used("used")
    assert check([other, clock][::order], code, far, Windows(), resync=True) == Stray("clock", 47251645)


@pytest.mark.parametrize("order", [1, -1])
def test_the_best_verdict_wins_also_between_kinds(order: int) -> None:
    fob = replace(HOTP, id="fob", digits=8)  # RFC 4226 appendix D: 1284755224 at counter 0, 0082162583 at 7
    code = issued(Kind.TEMPORARY, b"84755224", id="loan")
    gone = replace(code, counter=1)
    assert check([replace(fob, counter=1), code][::order], b"84755224", NOW, Windows(), resync=True) == Match(
        "loan", 0, 0
    )
    assert check([fob, gone][::order], b"84755224", NOW, Windows(), resync=True) == Match("fob", 0, 0)
    gone = replace(issued(Kind.TEMPORARY, b"82162583", id="loan"), counter=1)
    assert check([fob, gone][::order], b"82162583", NOW, Windows(hotp=5), resync=True) == Used("loan")


def test_each_of_many_tokens_is_found_by_its_own_code() -> None:
    keys = [
        YubiKey(f"key{number}", f"ccc{letter}", bytes([number] * 16), b"secret") for number, letter in enumerate("bde")
    ]
    recovery = [issued(Kind.RECOVERY, b"7k2mqx9f4" + letter, id=f"code{letter.decode()}") for letter in (b"a", b"b")]
    tokens = [*keys, HOTP, *recovery, issued(Kind.TEMPORARY, b"90817263", id="loan")]
    typed = [*(touched(key, 3, 1) for key in keys), HOTP_CODES[2], b"7k2mq-x9f4a", b"7k2mq-x9f4b", b"90817263"]
    verdicts = [check(tokens, code, NOW, Windows(), resync=True) for code in typed]
    assert [verdict.token for verdict in verdicts if isinstance(verdict, Match)] == [token.id for token in tokens]


TWINS = 910737, 910738  # two counters in sequence with the same code
TWIN_CODE = b"911617"


def test_digits_that_stand_twice_in_a_window_are_burned_for_both() -> None:
    assert oathtool.codes(HOTP, TWINS[0], more=1) == [TWIN_CODE, TWIN_CODE]
    desk = Desk(replace(HOTP, counter=TWINS[0]), Windows())
    assert desk.says(TWIN_CODE, NOW) == Match("hotp", TWINS[1], 0)
    assert desk.says(TWIN_CODE, NOW) == Used("hotp")


def test_digits_that_stand_twice_far_away_are_remembered_at_the_higher_counter() -> None:
    token = replace(HOTP, counter=TWINS[0] - 20)
    assert check([token], TWIN_CODE, NOW, Windows(), resync=True) == Stray("hotp", TWINS[1])


def test_the_first_steps_after_the_epoch_have_no_window_before_it() -> None:
    assert check([TOTP], b"755224", 0.0, Windows(), resync=True) == Match("totp", 0, 0)


# Several rows of one device

NARROW = Windows(totp=1, hotp=5)
SHORT = replace(HOTP, digits=6)
LONG = replace(HOTP, digits=8)  # RFC 4226 appendix D: 1284755224 at counter 0
TWO_IDS = replace(YUBIKEY, public_id="cccccc")
DEVICES = [  # the row whose code was accepted, its counter since then, the other row, the same code typed again
    (TOTP, 47251646, TOTP, TOTP_CODES[47251645]),
    (TOTP, 47251647, TOTP, TOTP_CODES[47251645]),
    (TOTP, 47251646, replace(TOTP, drift=1), TOTP_CODES[47251645]),
    (HOTP, 4, HOTP, HOTP_CODES[3]),
    (LONG, 1, SHORT, b"755224"),
    (SHORT, 1, LONG, b"84755224"),
    (YUBIKEY, 256 + 2, YUBIKEY, YUBICO_CODES[256 + 1]),
    (YUBIKEY, 256 + 2, TWO_IDS, b"cccccc" + YUBICO_CODES[256 + 1]),
    (TWO_IDS, 256 + 2, YUBIKEY, YUBICO_CODES[256 + 1]),
]


@pytest.mark.parametrize("ids", ["ab", "ba"])
@pytest.mark.parametrize(("one", "counter", "other", "code"), DEVICES)
def test_a_code_that_one_row_of_a_device_has_used_is_used_for_the_others(
    one: Factor, counter: int, other: Factor, code: bytes, ids: str
) -> None:
    rows = [_row(one, ids[0], counter), _row(other, ids[1], 0)]
    one_way, other_way = (check(order, code, at(47251645), NARROW, resync=True) for order in (rows, rows[::-1]))
    assert isinstance(one_way, Used)
    assert one_way == other_way


def _row(token: Factor, id: str, counter: int) -> Factor:  # noqa: A002 - the field's name
    return replace(token, id=id, counter=counter)


@pytest.mark.parametrize("order", [1, -1])
def test_a_code_that_is_far_below_what_another_row_has_used_is_no_code(order: int) -> None:
    rows = [replace(HOTP, id="a", counter=50), replace(HOTP, id="b")]
    assert check(rows[::order], HOTP_CODES[3], NOW, NARROW, resync=True) == WRONG


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize(
    ("token", "code", "counter"), [(TOTP, TOTP_CODES[47251645], 47251645), (HOTP, HOTP_CODES[3], 3)]
)
def test_all_codes_of_a_device_are_burned_in_its_first_row(token: Token, code: bytes, counter: int, order: int) -> None:
    rows = [replace(token, id=letter) for letter in "cab"]
    assert check(rows[::order], code, at(47251645), NARROW, resync=True) == Match("a", counter, 0)


@pytest.mark.parametrize("drifts", [(1, 0), (0, 1)])
def test_two_logins_burn_the_same_row_though_the_windows_move_on_between_them(drifts: tuple[int, int]) -> None:
    """Both have read the rows before either has burned the code, which the first row's window holds for one only."""
    rows = [replace(TOTP, id=letter, drift=drift) for letter, drift in zip("ab", drifts, strict=True)]
    first = check(rows, TOTP_CODES[47251645], at(47251645), NARROW, resync=True)
    second = check(rows, TOTP_CODES[47251645], at(47251646), NARROW, resync=True)
    assert (first, second) == (Match("a", 47251645, 0), Match("a", 47251645, -1))


@pytest.mark.parametrize("order", [1, -1])
def test_digits_that_two_rows_know_at_two_counters_are_burned_for_both(order: int) -> None:
    rows = [replace(HOTP, id=letter, counter=TWINS[0]) for letter in "ab"]
    rows[1] = replace(rows[1], remembered=TWINS[0], remembered_at=NOW)
    assert check(rows[::order], TWIN_CODE, NOW, Windows(hotp=0), resync=False) == Match("a", TWINS[1], 0)


def test_a_device_of_two_rows_is_brought_back_by_two_codes_in_sequence() -> None:
    rows = [replace(HOTP, id="a"), replace(HOTP, id="b", counter=1)]
    assert check(rows[::-1], HOTP_CODES[8], NOW, NARROW, resync=True) == Stray("a", 8)
    rows[0] = replace(rows[0], remembered=8, remembered_at=NOW)
    assert check(rows[::-1], HOTP_CODES[9], NOW, NARROW, resync=True) == Match("a", 9, 0)
    rows[0] = replace(rows[0], counter=10, remembered=None)
    assert check(rows, HOTP_CODES[9], NOW, NARROW, resync=True) == Used("a")
    assert check(rows, HOTP_CODES[10], NOW, NARROW, resync=True) == Match("a", 10, 0)


OTHERS = [  # a row far ahead that is of another device
    replace(HOTP, counter=10**6, key=b"another"),
    replace(HOTP, counter=10**6, algorithm=Algorithm.SHA256),
    replace(TOTP, counter=47251646),
    replace(YUBIKEY, counter=10**6),
    issued(Kind.TEMPORARY, b"90817263"),
]


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("other", OTHERS)
def test_rows_of_different_devices_use_up_nothing_of_each_other(other: Factor, order: int) -> None:
    rows = [replace(other, id="a"), replace(HOTP, id="b")]
    assert check(rows[::order], HOTP_CODES[3], NOW, NARROW, resync=True) == Match("b", 3, 0)


def test_time_steps_of_different_lengths_are_not_compared() -> None:
    quick, slow = replace(TOTP, id="a", counter=47251646), replace(TOTP, id="b", period=60)
    [code] = oathtool.codes(slow, 23625822)
    assert check([quick, slow], code, at(47251645), NARROW, resync=True) == Match("b", 23625822, 0)


def test_the_length_of_a_press_counter_makes_no_other_device() -> None:
    rows = [replace(HOTP, id="a", counter=4), replace(HOTP, id="b", period=60)]  # a row that was written for a clock
    assert check(rows, HOTP_CODES[3], NOW, NARROW, resync=True) == Used("a")


def test_yubikeys_with_one_key_but_other_private_ids_are_different_devices() -> None:
    other = replace(YUBIKEY, id="a", private_id=bytes(6), counter=10**6)
    assert check([other, YUBIKEY], YUBICO_CODES[256 + 1], NOW, NARROW, resync=True) == Match("key", 256 + 1, 0)


# Manual resync


@pytest.mark.parametrize(("look", "found"), [(7, None), (8, Match("hotp", 9, 0))])
def test_a_manual_resync_looks_as_far_ahead_as_told(look: int, found: Match | None) -> None:
    assert resync(HOTP, HOTP_CODES[8], HOTP_CODES[9], NOW, look) == found


@pytest.mark.parametrize("clock", [47251640, 47251650, 47251640 + 1009, 47251650 - 1009])
def test_a_manual_resync_looks_to_both_sides_of_the_clock(clock: int) -> None:
    pair = oathtool.codes(TOTP, 47251644, more=1)
    assert pair == [TOTP_CODES[47251644], TOTP_CODES[47251645]]
    found = resync(replace(TOTP, drift=70), pair[0], pair[1], at(clock), 1005)
    assert found == Match("totp", 47251645, 47251645 - clock)


def test_a_manual_resync_never_goes_below_the_counter() -> None:
    pair = TOTP_CODES[47251644], TOTP_CODES[47251645]
    assert resync(replace(TOTP, counter=47251644), *pair, at(47251645), 100) == Match("totp", 47251645, 0)
    assert resync(replace(TOTP, counter=47251645), *pair, at(47251645), 100) is None
    assert resync(replace(HOTP, counter=9), HOTP_CODES[8], HOTP_CODES[9], NOW, 100) is None


@pytest.mark.parametrize(("first", "second"), [(9, 8), (8, 8), (8, 10)])
def test_a_manual_resync_wants_two_codes_in_sequence(first: int, second: int) -> None:
    assert resync(HOTP, HOTP_CODES[first], HOTP_CODES[second], NOW, 100) is None


# Properties

TOKENS = st.builds(
    Token,
    id=st.just("t"),
    kind=st.sampled_from(OATH),
    key=st.binary(min_size=1, max_size=70),
    algorithm=st.just(Algorithm.SHA1),
    digits=st.sampled_from(DIGITS),
    period=st.sampled_from(PERIODS),
    counter=st.integers(0, 2**31),
    drift=st.integers(-30, 30),
    remembered=st.none() | st.integers(0, 2**31),
    remembered_at=st.floats(0, 2**32),
)


@given(token=TOKENS, when=st.floats(0, 2**32), code=st.binary(max_size=10), wide=st.booleans())
def test_any_octets_get_a_verdict(token: Token, when: float, code: bytes, *, wide: bool) -> None:
    assert isinstance(check([token], code, when, Windows(), resync=wide), Verdict)


@given(token=TOKENS, when=st.floats(0, 2**32), ahead=st.integers(-10, 10))
def test_whatever_was_accepted_once_is_not_accepted_again(token: Token, when: float, ahead: int) -> None:
    centre = int(when // token.period) + token.drift if token.kind is Kind.TOTP else token.counter
    desk = Desk(token, Windows(totp=10, hotp=10))
    code = code_at(token, max(centre + ahead, 0))
    desk.says(code, when)
    assert not isinstance(desk.says(code, when), Match)

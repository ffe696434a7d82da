from pathlib import Path

import pytest

from tests.config.files import CLIENT, DIRECTORY, SECRET, VALID, faults_of, reading_of

SECOND = CLIENT.replace('"vpn"', '"switch"').replace("192.0.2.10", "192.0.2.20")


def warnings_of(folder: Path, text: str) -> list[tuple[str, str]]:
    reading = reading_of(folder, text)
    assert reading.faults == ()
    return [(warning.key, warning.message) for warning in reading.warnings]


def test_a_valid_file_has_neither_faults_nor_warnings(tmp_path: Path) -> None:
    reading = reading_of(tmp_path, VALID + SECOND)
    assert (reading.faults, reading.warnings) == ((), ())


def test_two_clients_of_one_name_are_a_fault(tmp_path: Path) -> None:
    text = VALID + SECOND.replace('"switch"', '"vpn"')
    assert faults_of(tmp_path, text) == [("client[2].name", "'vpn' is the name of client[1] too")]


def test_two_policies_of_one_name_are_a_fault(tmp_path: Path) -> None:
    text = VALID + '[[policy]]\nname = "a"\n' * 2
    assert faults_of(tmp_path, text) == [("policy[2].name", "'a' is the name of policy[1] too")]


def test_one_network_of_two_clients_is_a_fault(tmp_path: Path) -> None:
    text = VALID + SECOND.replace("192.0.2.20", "192.0.2.10/32")
    assert faults_of(tmp_path, text) == [("client[2].addresses", "192.0.2.10/32 belongs to 'vpn' already")]


def test_a_network_within_another_is_right(tmp_path: Path) -> None:
    assert faults_of(tmp_path, VALID + SECOND.replace("192.0.2.20", "192.0.2.0/24")) == []


def test_a_client_with_a_fault_of_its_own_is_still_known_to_policies(tmp_path: Path) -> None:
    text = VALID + 'code = "sometimes"\n[[policy]]\nname = "staff"\nclients = ["vpn"]\n'
    assert [key for key, _ in faults_of(tmp_path, text)] == ["client[1].code"]


def test_relaxing_both_protections_needs_the_key_that_is_called_insecure(tmp_path: Path) -> None:
    relaxed = VALID + "require_message_authenticator = false\n"
    assert faults_of(tmp_path, relaxed) == []
    assert [key for key, _ in faults_of(tmp_path, relaxed + "limit_proxy_state = false\n")] == [
        "client[1].limit_proxy_state"
    ]
    insecure = relaxed + "limit_proxy_state = false\ninsecure_unsigned_proxy_state = true\n"
    assert warnings_of(tmp_path, insecure) == [
        (
            "client[1].insecure_unsigned_proxy_state",
            "replies to 'vpn' can be forged by whoever is on the path (CVE-2024-3596)",
        )
    ]


@pytest.mark.parametrize(
    ("listen", "accounting", "where"),
    [
        ('["192.0.2.1:1812"]', '["192.0.2.1:1812"]', "192.0.2.1:1812 overlaps with 192.0.2.1:1812"),
        ('["0.0.0.0:1813"]', '["192.0.2.1"]', "192.0.2.1:1813 overlaps with 0.0.0.0:1813"),
        ('["192.0.2.1:1813"]', '["0.0.0.0"]', "0.0.0.0:1813 overlaps with 192.0.2.1:1813"),
        ('["[::]:1812"]', '["[2001:DB8::1]:1812"]', "[2001:db8::1]:1812 overlaps with [::]:1812"),
    ],
)
def test_no_address_is_both_for_logins_and_for_accounting(
    tmp_path: Path, listen: str, accounting: str, where: str
) -> None:
    text = f"[server]\nlisten = {listen}\naccounting_listen = {accounting}\n{VALID}"
    (fault,) = reading_of(tmp_path, text).faults
    assert (fault.key, fault.message) == ("server.accounting_listen[1]", f"{where} in server.listen[1]")
    assert "another port" in fault.remedy


def test_the_default_for_logins_overlaps_too(tmp_path: Path) -> None:
    text = f'[server]\naccounting_listen = ["[::]:1813", "192.0.2.1:1812"]\n{VALID}'
    assert faults_of(tmp_path, text) == [
        ("server.accounting_listen[2]", "192.0.2.1:1812 overlaps with 0.0.0.0:1812 in server.listen[1]")
    ]


def test_two_of_one_port_may_not_overlap_either(tmp_path: Path) -> None:
    text = f'[server]\nlisten = ["192.0.2.1", "[::]", "0.0.0.0"]\n{VALID}'
    assert faults_of(tmp_path, text) == [
        ("server.listen[3]", "0.0.0.0:1812 overlaps with 192.0.2.1:1812 in server.listen[1]")
    ]


def test_other_ports_other_addresses_and_other_families_do_not_overlap(tmp_path: Path) -> None:
    for listen, accounting in (
        ('"0.0.0.0:1812"', '"0.0.0.0:1813"'),
        ('"192.0.2.1:1812"', '"192.0.2.2:1812"'),
        ('"0.0.0.0:1812"', '"[::]:1812", "[2001:db8::1]:1814"'),
        ('"0.0.0.0:0", "0.0.0.0:0"', '"192.0.2.1:0"'),
    ):
        text = f"[server]\nlisten = [{listen}]\naccounting_listen = [{accounting}]\n{VALID}"
        assert faults_of(tmp_path, text) == []


def test_a_sqlite_url_names_an_absolute_path(tmp_path: Path) -> None:
    for url in ("sqlite:///radius2fa.db", "sqlite://"):
        faults = faults_of(tmp_path, f'[store]\nurl = "{url}"\n{VALID}')
        assert faults == [("store.url", "must hold the absolute path of a file")]


def test_a_password_for_sqlite_is_a_fault(tmp_path: Path) -> None:
    assert faults_of(tmp_path, f'[store]\npassword = "x"\n{VALID}') == [("store.password", "SQLite has no passwords")]


def test_the_lock_comes_after_the_delay(tmp_path: Path) -> None:
    text = f"[lockout]\nfailures = 5\nlock_after = 4\ndelay = 30\nlongest_delay = 20\n{VALID}"
    assert faults_of(tmp_path, text) == [
        ("lockout.lock_after", "must be at least failures (5)"),
        ("lockout.longest_delay", "must be at least delay (30 s)"),
    ]
    assert (
        faults_of(tmp_path, f"[lockout]\nfailures = 5\nlock_after = 5\ndelay = 30\nlongest_delay = 30\n{VALID}") == []
    )


def test_the_deadlines_together_stay_below_what_clients_wait(tmp_path: Path) -> None:
    text = f"[server]\npatience = 4\n[store]\ntimeout = 1.5\n{DIRECTORY}connect_timeout = 0.5\ntimeout = %s\n{CLIENT}"
    assert faults_of(tmp_path, text % 2.0) == []
    assert faults_of(tmp_path, text % 2.1) == [
        (
            "directory[1].timeout",
            "connect_timeout + timeout + store.timeout = 4.1 s is more than server.patience, 4 s",
        )
    ]


@pytest.mark.parametrize("section", ["[server]\nthreads = 0\n", "[store]\ntimeout = 0\n", "[lockout]\nfailures = 0\n"])
def test_what_needs_a_faulty_section_is_not_checked(tmp_path: Path, section: str) -> None:
    text = f"{section}{DIRECTORY}timeout = 20\n{CLIENT}"
    expected = 2 if "lockout" in section else 1
    assert len(faults_of(tmp_path, text)) == expected


@pytest.mark.parametrize(("octets", "weak"), [(12, True), (13, False)])
def test_a_shared_secret_of_twelve_octets_is_weak(tmp_path: Path, octets: int, weak: bool) -> None:  # noqa: FBT001 - a case
    warnings = warnings_of(tmp_path, VALID.replace(SECRET, "s" * octets))
    assert [key for key, _ in warnings] == (["client[1].secret"] if weak else [])


def test_a_dictionary_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "here").write_text("")
    (fault,) = reading_of(tmp_path, f'[server]\ndictionaries = ["here", "site.dict"]\n{VALID}').faults
    assert (fault.line, fault.key) == (2, "server.dictionaries[2]")
    assert fault.message == f"there is no file {tmp_path / 'site.dict'}"
    assert fault.remedy == "Give a file of RADIUS attributes, as FreeRADIUS has them."

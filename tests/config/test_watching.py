from pathlib import Path

import pytest

from radius2fa.config.model import Listen, Settings
from tests.config.files import VALID, faults_of, reading_of


def settings_of(folder: Path, text: str) -> Settings:
    reading = reading_of(folder, f"{text}\n{VALID}")
    assert reading.faults == ()
    assert reading.settings is not None
    return reading.settings


def doubts(folder: Path, text: str) -> list[tuple[str, str]]:
    reading = reading_of(folder, f"{text}\n{VALID}")
    assert reading.faults == ()
    return [(one.key, one.message) for one in reading.warnings]


def test_without_a_word_lines_go_to_standard_error_and_nobody_gets_figures(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, "")
    assert (settings.log.file, settings.log.syslog, settings.metrics.listen) == (None, None, None)


def test_the_log_may_go_to_a_file_beside_the_configuration(tmp_path: Path) -> None:
    assert settings_of(tmp_path, '[log]\nfile = "lines.log"').log.file == tmp_path / "lines.log"


def test_syslog_goes_by_tls_unless_something_else_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").touch()
    syslog = settings_of(tmp_path, '[log.syslog]\nserver = "SIEM.example.org"\nca_file = "ca.pem"').log.syslog
    assert syslog is not None
    assert (syslog.server, syslog.port, syslog.transport) == ("siem.example.org", None, "tls")
    assert syslog.ca_file == tmp_path / "ca.pem"


@pytest.mark.parametrize(
    ("keys", "fault"),
    [
        ('ca_file = "none.pem"', ("log.syslog.ca_file", "there is no file {folder}/none.pem")),
        (
            'transport = "udp"\nca_file = "none.pem"',
            ("log.syslog.ca_file", 'is of no use with transport = "udp"'),
        ),
        ('client_key = "here"', ("log.syslog.client_key", "is of no use without its certificate")),
        ('client_certificate = "here"', ("log.syslog.client_certificate", "is of no use without its key")),
        ('facility = "kern"', ("log.syslog.facility", None)),
    ],
)
def test_what_syslog_cannot_do_is_a_fault(tmp_path: Path, keys: str, fault: tuple[str, str | None]) -> None:
    (tmp_path / "here").touch(0o600)
    ((key, message),) = faults_of(tmp_path, f'[log.syslog]\nserver = "siem.example.org"\n{keys}\n{VALID}')
    assert key == fault[0]
    assert fault[1] is None or message == fault[1].format(folder=tmp_path)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_names_of_users_in_clear_text_are_a_doubt(tmp_path: Path, transport: str) -> None:
    text = f'[log.syslog]\nserver = "siem.example.org"\ntransport = "{transport}"'
    told = ("log.syslog.transport", "the names of users go to siem.example.org in clear text")
    assert doubts(tmp_path, text) == [told]
    assert doubts(tmp_path, text.replace("siem.example.org", "127.0.0.1")) == []


@pytest.mark.parametrize(
    ("written", "host", "port"), [("127.0.0.1", "127.0.0.1", 9812), ("[::1]:9000", "::1", 9000), ("", None, None)]
)
def test_figures_are_told_on_this_machine(tmp_path: Path, written: str, host: str | None, port: int | None) -> None:
    listen = settings_of(tmp_path, f'[metrics]\nlisten = "{written}"').metrics.listen
    assert listen == (Listen(host=host, port=port) if host is not None and port is not None else None)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "[::]"])
def test_figures_for_the_network_have_to_be_asked_for_twice(tmp_path: Path, host: str) -> None:
    text = f'[metrics]\nlisten = "{host}:9812"\n'
    bare = host.strip("[]")
    assert faults_of(tmp_path, text + VALID) == [
        ("metrics.listen", f"whoever reaches {bare} could read the figures, without encryption")
    ]
    listen = settings_of(tmp_path, f"{text}insecure_beyond_loopback = true").metrics.listen
    assert listen == Listen(host=bare, port=9812)

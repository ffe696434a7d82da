import ssl
from pathlib import Path

import pytest

from radius2fa.directory.tls import Tls, client_context
from tests.servers.tls import Authority


def test_certificate_and_host_name_are_checked_and_tls_is_at_least_1_2(authority: Authority) -> None:
    for context in (client_context(Tls()), client_context(Tls(authority.ca_file))):
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert context.check_hostname is True
        assert context.minimum_version is ssl.TLSVersion.TLSv1_2


def test_a_ca_file_is_trusted_alone(authority: Authority) -> None:
    (trusted,) = client_context(Tls(authority.ca_file)).get_ca_certs()
    assert trusted["subject"] == ((("commonName", "Authority of the tests"),),)


def test_an_empty_ca_file_is_refused(tmp_path: Path) -> None:
    empty = tmp_path / "ca.pem"
    empty.write_bytes(b"")
    with pytest.raises(ValueError, match="holds no certificate"):
        client_context(Tls(empty))

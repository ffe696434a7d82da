"""Owns the checks of what tells of the server: the log, the lines for another machine, the figures."""

from collections.abc import Iterator
from ipaddress import ip_address

from radius2fa.config.credentials import open_to_all
from radius2fa.config.faults import Finding, Key
from radius2fa.config.model import Log, Metrics, Syslog
from radius2fa.config.rules import address

_SYSLOG: Key = ("log", "syslog")


def faults_of_log(log: Log) -> Iterator[Finding]:
    """Yield what makes `[log]` unusable although each key is right by itself.

    Whether the log's file can be written only those need to know who serve, as they start.
    """
    if log.syslog:
        yield from _files(log.syslog)


def faults_of_metrics(metrics: Metrics) -> Iterator[Finding]:
    """Yield where figures would be told to the network, since nobody has to say who they are to read them."""
    if metrics.listen and not ip_address(metrics.listen.host).is_loopback and not metrics.insecure_beyond_loopback:
        yield Finding(
            ("metrics", "listen"),
            f"whoever reaches {metrics.listen.host} could read the figures, without encryption",
            "Use 127.0.0.1 or [::1]; or, behind a firewall, add insecure_beyond_loopback = true.",
        )


def doubts_of_syslog(syslog: Syslog) -> Iterator[Finding]:
    """Yield what works and is unwise."""
    if syslog.transport != "tls" and not _loopback(syslog.server):
        message = f"the names of users go to {syslog.server} in clear text"
        yield Finding((*_SYSLOG, "transport"), message, 'Use "tls", if the server takes it (RFC 5425).')
    if syslog.client_key and syslog.client_key.is_file():
        yield from open_to_all(syslog.client_key, (*_SYSLOG, "client_key"))


def _files(syslog: Syslog) -> Iterator[Finding]:
    given = (
        ("ca_file", syslog.ca_file),
        ("client_certificate", syslog.client_certificate),
        ("client_key", syslog.client_key),
    )
    for name, path in given:
        if path and syslog.transport != "tls":
            message = f'is of no use with transport = "{syslog.transport}"'
            yield Finding((*_SYSLOG, name), message, 'Take it out, or write transport = "tls".')
        elif path and not path.is_file():
            yield Finding((*_SYSLOG, name), f"there is no file {path}", "Give a file in PEM.")
    if syslog.client_certificate and not syslog.client_key:
        remedy = "Give client_key, the same file if that holds both."
        yield Finding((*_SYSLOG, "client_certificate"), "is of no use without its key", remedy)
    if syslog.client_key and not syslog.client_certificate:
        yield Finding((*_SYSLOG, "client_key"), "is of no use without its certificate", "Give client_certificate.")


def _loopback(host: str) -> bool:
    found = address(host)
    return host == "localhost" if found is None else found.is_loopback

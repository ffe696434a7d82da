"""Owns `radius2fa serve`."""

from radius2fa.cli.check import reply_faults
from radius2fa.cli.opening import CONFIG, UNAVAILABLE, fail, open_directory, open_settings, open_store, refuse


def serve() -> None:
    """Answer RADIUS requests until told to stop: what systemd runs."""
    settings = open_settings()
    refuse(reply_faults(settings, CONFIG.get()))
    from radius2fa.server.listener import ListenFailed  # noqa: PLC0415 - heavy, and of no use with a wrong configuration
    from radius2fa.server.process import serve as answer  # noqa: PLC0415 - as above

    try:
        answer(settings, open_store(settings), open_directory(settings))
    except ListenFailed as wrong:
        fail(UNAVAILABLE, str(wrong))

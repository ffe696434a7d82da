"""Owns `radius2fa serve`."""

from radius2fa.cli.opening import (
    CONFIG,
    MISCONFIGURED,
    UNAVAILABLE,
    fail,
    open_directory,
    open_settings,
    open_store,
    refuse_replies,
    reloads_held,
)


@reloads_held()
def serve() -> None:
    """Answer RADIUS requests until told to stop: what systemd runs."""
    settings = open_settings()
    from radius2fa.server.listener import ListenFailed  # noqa: PLC0415 - heavy, and of no use with a wrong configuration
    from radius2fa.server.logfile import CannotLog  # noqa: PLC0415 - as above
    from radius2fa.server.process import serve as answer  # noqa: PLC0415 - as above
    from radius2fa.server.replies import UnusableReplies  # noqa: PLC0415 - as above

    try:
        answer(CONFIG.get(), settings, open_store(settings, by="server"), open_directory(settings))
    except UnusableReplies as wrong:
        refuse_replies(wrong)
    except CannotLog as wrong:
        fail(MISCONFIGURED, f"log: {wrong}")
    except ListenFailed as wrong:
        fail(UNAVAILABLE, str(wrong))

"""Owns `radius2fa portal`."""

from radius2fa.cli.opening import (
    CONFIG,
    MISCONFIGURED,
    UNAVAILABLE,
    fail,
    open_directories,
    open_settings,
    open_store,
    refuse,
    reloads_held,
)


@reloads_held()
def portal() -> None:
    """Serve the web pages for users and the helpdesk until told to stop: what systemd runs."""
    settings = open_settings()
    from radius2fa.config.load import located  # noqa: PLC0415 - heavy
    from radius2fa.config.portals import missing  # noqa: PLC0415 - heavy

    refuse(located(CONFIG.get(), missing(settings.portal)))

    from radius2fa.portal.app import make_app  # noqa: PLC0415 - heavy, and of no use with a wrong configuration
    from radius2fa.portal.hosting.certificates import UnusableCertificate  # noqa: PLC0415 - as above
    from radius2fa.portal.hosting.process import serve  # noqa: PLC0415 - as above
    from radius2fa.portal.post import UnusableMail, post_office  # noqa: PLC0415 - as above
    from radius2fa.portal.rereading import Rereading  # noqa: PLC0415 - as above
    from radius2fa.portal.wanted import portal_wanted  # noqa: PLC0415 - as above
    from radius2fa.portal.world import world_of  # noqa: PLC0415 - as above
    from radius2fa.server.listener import ListenFailed  # noqa: PLC0415 - as above
    from radius2fa.server.logfile import CannotLog  # noqa: PLC0415 - as above
    from radius2fa.server.logs import log_changes, start_log  # noqa: PLC0415 - as above

    try:
        journal = start_log(settings.log, "radius2fa-portal")
    except CannotLog as wrong:
        fail(MISCONFIGURED, f"log: {wrong}")
    log = journal.log
    store = open_store(settings, by="portal", threads=settings.portal.threads)
    directory = open_directories(settings, portal_wanted(settings))
    for each in directory.opened:
        each.directory.observe(log_changes(log))
    try:
        with post_office(settings, log) as post:
            pages = make_app(world_of(settings, store, directory, post=post, log=log))
            reread = Rereading(CONFIG.get(), settings, store.keys, journal)
            serve(settings.portal, pages, sweep=store.sweep, reread=reread, log=log)
    except (UnusableCertificate, UnusableMail) as wrong:
        fail(MISCONFIGURED, f"portal: {wrong}")
    except ListenFailed as wrong:
        fail(UNAVAILABLE, str(wrong))
    finally:
        directory.close()
        store.close()
        journal.close()

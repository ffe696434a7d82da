"""Owns one run of the demo: its parts started in order, watched, and taken down again."""

import os
import socket
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TextIO, cast

from twisted.internet import reactor
from twisted.internet.error import CannotListenError
from twisted.internet.task import LoopingCall

from radius2fa.config.model import Log, Settings
from radius2fa.demo import world
from radius2fa.demo.account import Account
from radius2fa.demo.directory import DirectoryFactory
from radius2fa.demo.ending import Ending
from radius2fa.demo.screen import Screen
from radius2fa.demo.watch import LogStream, Watch
from radius2fa.demo.world import Ports
from radius2fa.directory.directories import Directories
from radius2fa.login.place import place_of
from radius2fa.otp.token import Token
from radius2fa.portal.app import make_app
from radius2fa.portal.hosting.host import Host
from radius2fa.portal.letter import nowhere
from radius2fa.portal.wanted import portal_wanted
from radius2fa.portal.world import world_of
from radius2fa.server.listener import ListenFailed
from radius2fa.server.logs import open_log
from radius2fa.server.service import Service
from radius2fa.store.engine import Store, open_store
from radius2fa.store.seal import KeyRing, new_key_text
from radius2fa.store.tokens import NewToken
from radius2fa.store.upgrade import upgrade

_KEY_OCTETS = 20  # as many as HMAC-SHA-1 puts out (RFC 4226 section 4, R6)
_LOOP: Any = reactor  # a module that becomes an object when a reactor is installed; it has no type


class CannotStart(Exception):  # noqa: N818 - it says what happened
    """The demo cannot start. The text says why, and what helps."""


def play(screen: Screen, ports: Ports) -> None:
    """Run the demo on these ports of loopback until a signal comes, and leave nothing behind. 0 takes a free one.

    Raises:
        CannotStart: a port cannot be had.
        Unavailable: the database has gone away.

    """
    ending = Ending(_LOOP)
    with TemporaryDirectory(prefix="radius2fa-demo-") as folder:
        _play(Path(folder), screen, ports, ending)
    ending.tell()


def _play(folder: Path, screen: Screen, ports: Ports, ending: Ending) -> None:
    service_account = world.service_account(os.urandom)
    ldap_port = _serve_directory(ports.directory, [*(person.account for person in world.PEOPLE), service_account])
    ports = replace(ports, directory=ldap_port, portal=ports.portal or _free_port())
    settings = world.settings(folder, ports, service_account)
    key = os.urandom(_KEY_OCTETS)
    directory = Directories.of(settings, time.monotonic, portal_wanted(settings))
    with closing(directory), closing(_open_store(settings, key)) as store:
        watch = Watch(screen, lambda: _alice(store), ending)
        log = open_log(
            Log(level="warning"), cast("TextIO", LogStream(lambda text: _LOOP.callFromThread(watch.say, text)))
        )
        service = Service(settings, store=store, directory=directory, reactor=_LOOP, log=log, observers=[watch.login])
        host = Host(
            settings.portal,
            make_app(world_of(settings, store, directory, post=nowhere, log=log)),
            reactor=_LOOP,
            clock=time.monotonic,
            log=log,
        )
        _started(service.start, "--port")
        _started(host.start, "--portal-port")
        watch.begin("{}:{}".format(*service.addresses[0]), str(settings.portal.url))
        LoopingCall(watch.tick).start(1.0, now=False)
        _LOOP.addSystemEventTrigger("before", "shutdown", service.stop)
        _LOOP.addSystemEventTrigger("before", "shutdown", host.stop)
        _LOOP.run(installSignalHandlers=False)


def _started(start: Callable[[], None], option: str) -> None:
    try:
        start()
    except ListenFailed as fault:
        why = str(fault).removeprefix("server.listen: ")  # there is no configuration here that holds this key
        raise CannotStart(f"{why}. Choose another port with {option}, or a free one with {option} 0.") from None


def _free_port() -> int:
    """Return a free port: the portal has to know its own address before it listens."""
    with socket.create_server((world.LOOPBACK, 0)) as taken:
        return int(taken.getsockname()[1])


def _serve_directory(port: int, accounts: list[Account]) -> int:
    """Listen, and return the port."""
    try:
        listening = _LOOP.listenTCP(port, DirectoryFactory(accounts, [world.ADMINS]), interface=world.LOOPBACK)
    except CannotListenError as fault:
        raise CannotStart(
            f"{world.LOOPBACK}:{port}: {fault.socketError.strerror}. Choose another port with --directory-port."
        ) from None
    return int(listening.getHost().port)


def _open_store(settings: Settings, key: bytes) -> Store:
    """Return a new database that has the people's tokens, under a master key that only this process knows."""
    upgrade(settings.store, lambda *_: None)
    keys = KeyRing.parse(new_key_text(os.urandom))
    store = open_store(settings.store, keys, threads=2 * world.THREADS, clock=time.monotonic, random=os.urandom)
    for person in world.PEOPLE:
        if person.has_token:
            token = world.token(person, key)
            store.tokens.add(NewToken(token, person.account.uuid, person.account.uid, "demo"), time.time())
    return store


def _alice(store: Store) -> Token:
    """Return Alice's token as it is now: its counter says which codes are used up."""
    standing = store.ledger.standing(world.ALICE.account.uuid, place_of("demo", "", None), time.time())
    (token,) = (each for each in standing.tokens if isinstance(each, Token))
    return token

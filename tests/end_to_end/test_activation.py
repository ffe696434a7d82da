"""A port that systemd holds: what comes while the server is away waits for it."""

import shutil
import socket
import subprocess
from pathlib import Path

from tests.end_to_end.house import House, Ready, client
from tests.end_to_end.radius import ACCEPT, Nas, login_lines, radclient
from tests.end_to_end.test_commands import free_udp_port
from tests.servers.program import EXECUTABLE, passing
from tests.servers.slapd import Slapd

CLIENT = client("vpn", "127.0.0.1")


def test_a_request_that_comes_between_two_servers_is_answered_by_the_second(
    folder: Path, slapd: Slapd, ready: Ready
) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as port:
        port.bind(("127.0.0.1", 0))
        where = port.getsockname()
        house = House(folder, slapd, ready, clients=[CLIENT], server={"listen": [f"127.0.0.1:{where[1]}"]})
        alice, program = house.person(), house.program
        with program, Nas("127.0.0.1", where, house.secret("vpn")) as nas:
            program.start(port)
            assert nas.login(alice.uid, alice.typed()).code == ACCEPT
            assert program.stop() == 0
            asked = nas.request(alice.uid, alice.typed())
            nas.send(asked)
            program.start(port)
            assert nas.receive()[0] == ACCEPT
            assert program.events("socket not used") == []
        house.store.close()


def test_systemd_starts_the_server_for_the_first_request(folder: Path, slapd: Slapd, ready: Ready) -> None:
    activate, port = shutil.which("systemd-socket-activate"), free_udp_port()
    assert activate is not None
    house = House(folder, slapd, ready, clients=[CLIENT], server={"listen": [f"127.0.0.1:{port}"]})
    alice = house.person()
    command = [EXECUTABLE, "--config", str(house.program.config), "serve"]
    with subprocess.Popen(
        [activate, "--datagram", "-l", f"127.0.0.1:{port}", *command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as systemd:
        assert systemd.stderr is not None
        assert systemd.stderr.readline().startswith(f"Listening on 127.0.0.1:{port} ")
        try:
            lines = login_lines(alice.uid, alice.typed(), "127.0.0.1")
            assert radclient(lines, port, house.secret("vpn"), "-t", "10").name == "Access-Accept"
        finally:
            systemd.terminate()
            systemd.stderr.read()
    house.store.close()


def test_a_socket_that_no_address_of_the_configuration_has_is_told_of_and_closed(
    folder: Path, slapd: Slapd, ready: Ready
) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as port:
        port.bind(("127.0.0.1", 0))
        house = House(folder, slapd, ready, clients=[CLIENT])
        with house.program as program:
            program.start(port)
            (line,) = program.events("socket not used")
            assert line["listen"] == f"127.0.0.1 port {port.getsockname()[1]}"
        house.store.close()


def test_a_socket_that_is_in_the_way_of_an_address_is_told_of_before_that_fails(
    folder: Path, slapd: Slapd, ready: Ready
) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as port:
        port.bind(("0.0.0.0", 0))
        number = port.getsockname()[1]
        house = House(folder, slapd, ready, clients=[CLIENT], server={"listen": [f"127.0.0.1:{number}"]})
        house.store.close()
        done = subprocess.run(
            [*passing(port), EXECUTABLE, "--config", str(house.program.config), "serve"],
            pass_fds=[port.fileno()], capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert done.returncode == 69
    told, failed = done.stderr.splitlines()
    assert '"event": "socket not used"' in told
    assert f'"listen": "0.0.0.0 port {number}"' in told
    assert failed == f"radius2fa: server.listen: 127.0.0.1:{number}: Address already in use"


def test_a_port_of_another_kind_is_refused_with_what_to_do(folder: Path, slapd: Slapd, ready: Ready) -> None:
    house = House(folder, slapd, ready, clients=[CLIENT])
    house.store.close()
    with socket.create_server(("127.0.0.1", 0)) as port:
        done = subprocess.run(
            [*passing(port), EXECUTABLE, "--config", str(house.program.config), "serve"],
            pass_fds=[port.fileno()], capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert done.returncode == 69
    assert "descriptor 3, which systemd passed, is no UDP socket" in done.stderr

"""Owns `radius2fa demo`."""

from typing import Annotated

import typer


def demo(
    port: Annotated[int, typer.Option(help="The UDP port on loopback; 0 takes a free one.")] = 1812,
    directory_port: Annotated[int, typer.Option(help="The embedded directory's TCP port; 0 takes a free one.")] = 0,
    portal_port: Annotated[int, typer.Option(help="The portal's TCP port; 0 takes a free one.")] = 8443,
    no_color: Annotated[bool, typer.Option("--no-color", help="Print without colours.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Run a complete server on loopback, with people and a token to try: nothing is installed or left behind."""
    from radius2fa.demo.run import run  # noqa: PLC0415 - heavy

    run(port, directory_port, portal_port, not no_color)

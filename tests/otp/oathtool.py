"""Owns the second opinion: codes as the OATH Toolkit computes them."""

import shutil
import subprocess

from radius2fa.otp.token import Kind, Token


def codes(token: Token, counter: int, more: int = 0) -> list[bytes]:
    """Return oathtool's codes of the token from a counter or time step on, and `more` that follow."""
    program = shutil.which("oathtool")
    assert program is not None, "oathtool is missing: apt-get install oathtool"
    moving = (
        [f"--totp={token.algorithm}", f"--time-step-size={token.period}s", f"--now=@{counter * token.period}"]
        if token.kind is Kind.TOTP
        else ["--hotp", f"--counter={counter}"]
    )
    arguments = [program, *moving, f"--digits={token.digits}", f"--window={more}", "-"]
    return subprocess.run(arguments, input=token.key.hex().encode(), capture_output=True, check=True).stdout.split()

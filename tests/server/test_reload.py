"""What a reload says of a fault. How it goes as a whole is in tests/end_to_end/test_reload.py."""

from pathlib import Path

import pytest

from radius2fa.config.faults import Finding
from radius2fa.server.reload import _faults
from radius2fa.server.replies import UnusableReplies


@pytest.mark.parametrize("octets", [None, b"\xff\xfe half of a file"], ids=["gone", "half written"])
def test_a_fault_is_told_also_where_its_line_can_be_found_no_more(tmp_path: Path, octets: bytes | None) -> None:
    """Or the reload would never end, and no other one begin."""
    path = tmp_path / "radius2fa.toml"
    if octets is not None:
        path.write_bytes(octets)
    fault = UnusableReplies((Finding(("policy", 0, "reply"), "there is no attribute Fliter-Id", ""),))
    assert _faults(fault, path) == ("there is no attribute Fliter-Id",)

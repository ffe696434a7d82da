import pytest

from radius2fa.portal.agents import browser_of

# What browsers sent in 2025, as their makers document it.
WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64)"
APPLE = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
BLINK = "AppleWebKit/537.36 (KHTML, like Gecko)"


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        (f"{WINDOWS} {BLINK} Chrome/138.0.0.0 Safari/537.36", "Chrome, Windows"),
        (f"{WINDOWS} {BLINK} Chrome/138.0.0.0 Safari/537.36 Edg/138.0.0.0", "Edge, Windows"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox, Linux"),
        (f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) {APPLE} Version/18.5 Safari/604.1", "Safari, iPhone"),
        (f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {APPLE} Version/18.5 Safari/605.1.15", "Safari, macOS"),
        (f"Mozilla/5.0 (Linux; Android 10; K) {BLINK} Chrome/138.0.0.0 Mobile Safari/537.36", "Chrome, Android"),
        ("", "–"),  # noqa: RUF001 - a dash
        ("<script>", "–"),  # noqa: RUF001 - as above
    ],
)
def test_a_browser_is_called_as_people_know_it(agent: str, name: str) -> None:
    assert browser_of(agent) == name

"""My sessions: where somebody is signed in, and the end of that."""

from tests.portal.site import Browser, Site, code_at

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
PHONE = (
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Mobile Safari/537.36"
)


def two(site: Site) -> tuple[Browser, Browser]:
    """Return alice's browsers, both signed in."""
    first, second = site.browser(), site.browser(address="203.0.113.9")
    first.headers["User-Agent"], second.headers["User-Agent"] = FIREFOX, PHONE
    for browser in (first, second):
        browser.sign_in("alice", code_at(site.now))
        site.now += 30
    return first, second


def test_the_list_tells_from_where_and_with_what(site: Site) -> None:
    first, _ = two(site)
    first.get("/sessions")
    for text in ("198.51.100.7", "203.0.113.9", "Firefox, Linux", "Chrome, Android", "this one"):
        assert text in first.text
    assert first.text.count("this one") == 1


def test_one_is_ended_and_is_over(site: Site) -> None:
    first, second = two(site)
    first.get("/sessions")
    (form,) = [form for form in first.forms if form.action == "/sessions" and form.fields["session"]]
    first.post("/sessions", form.fields)
    assert first.path == "/sessions"
    second.get("/tokens")
    assert second.path == "/signin"
    (act, *_) = site.store.acts.recent(site.alice, 1)
    assert (act.who, act.what.value) == ("portal:alice", "sessions-ended")


def test_all_others_are_ended_and_this_one_stays(site: Site) -> None:
    first, second = two(site)
    third = site.browser()
    third.sign_in("alice", code_at(site.now))
    site.now += 30
    first.get("/sessions")
    (form,) = [form for form in first.forms if form.action == "/sessions" and not form.fields["session"]]
    first.post("/sessions", form.fields)
    assert first.path == "/sessions"
    for other in (second, third):
        other.get("/tokens")
        assert other.path == "/signin"


def test_another_persons_session_cannot_be_ended(site: Site) -> None:
    helen = site.signed_in("helen")
    first, _ = two(site)
    (theirs,) = site.store.sessions.of(site.helen, site.now)
    first.get("/sessions")
    assert theirs.id not in first.html
    form = first.forms[0].fields["form"]
    first.post("/sessions", {"form": form, "session": theirs.id})
    helen.get("/tokens")
    assert helen.path == "/tokens"


def test_ending_one_needs_a_second_factor_that_was_shown_lately(site: Site) -> None:
    first, second = two(site)
    first.get("/sessions")
    (form,) = [form for form in first.forms if form.action == "/sessions" and form.fields["session"]]
    site.now += site.settings.portal.fresh + 1
    first.post("/sessions", form.fields)
    assert first.path == "/confirm"
    second.get("/tokens")
    assert second.path == "/tokens"


def test_one_that_was_idle_too_long_is_over_and_not_listed(site: Site) -> None:
    first, _ = two(site)
    site.now += site.settings.portal.idle - 100
    first.get("/tokens")
    site.now += 200
    first.get("/sessions")
    assert "203.0.113.9" not in first.text
    assert "this one" in first.text

import pytest

from radius2fa.config.lines import line_of, lines_of

TEXT = '''\
# a comment with [brackets] and = signs
[server]  # why
listen = [
  ["fake"],  # ] not the end
]
prompt = """
[not.a.table]
threads = 5
"""
threads = 16
store.timeout = 2

[[client]]
name = "a [b] = \\"c\\""
reply = { x = 1, y = [2] }

[[client]]
name = 'b'
"quoted key" = 1

[[policy]]
[policy.reply]
Filter-Id = "x"
[[policy]]
[policy.reply]
Class = "y"
[policy.reply."Tunnel-Private-Group-ID:1".groups]
"cn=staff,dc=example" = "20"
[a.b]
c = 1
'''


@pytest.mark.parametrize(
    ("key", "line"),
    [
        (("server",), 2),
        (("server", "listen"), 3),
        (("server", "listen", 0), 3),
        (("server", "prompt"), 6),
        (("server", "threads"), 10),
        (("server", "store", "timeout"), 11),
        (("client",), 13),
        (("client", 0), 13),
        (("client", 0, "name"), 14),
        (("client", 0, "reply"), 15),
        (("client", 0, "reply", "y", 0), 15),
        (("client", 0, "secret"), 13),
        (("client", 1), 17),
        (("client", 1, "name"), 18),
        (("client", 1, "quoted key"), 19),
        (("policy", 0, "reply", "Filter-Id"), 23),
        (("policy", 1, "reply", "Class"), 26),
        (("policy", 1, "reply", "Tunnel-Private-Group-ID:1", "groups", "cn=staff,dc=example"), 28),
        (("a", "b", "c"), 30),
        (("not", "a", "table"), None),
        ((), None),
    ],
)
def test_a_key_is_found_in_its_line_or_in_that_of_what_holds_it(key: tuple[str | int, ...], line: int | None) -> None:
    assert line_of(key, lines_of(TEXT)) == line


def test_a_last_line_without_an_end_counts() -> None:
    assert lines_of("a = 1\nb = 2") == {("a",): 1, ("b",): 2}

"""The fast path and the full path agree on every text that the fast path takes, and nothing but a refusal is raised."""

import json
import re
from itertools import count
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cdp_pipelines.domain.activity_logs.audited_yaml import UnreadableChanges, read_audited_changes, read_full
from cdp_pipelines.domain.activity_logs.yaml_fast import read_fast
from cdp_pipelines.domain.activity_logs.yaml_limits import Refused
from cdp_pipelines.domain.activity_logs.yaml_shapes import Uncommon
from cdp_pipelines_tests.unit.corpora import load_corpus

MANY = settings(max_examples=500, deadline=None)
SOME = settings(max_examples=300, deadline=None)
TIME = "!ruby/object:ActiveSupport::TimeWithZone"
ZONE = "!ruby/object:ActiveSupport::TimeZone"
UTC_TIME = "2022-07-14 05:41:52.142873000 Z"
BASES = [
    *(row["yaml"] for row in load_corpus("audited_yaml.json") if isinstance(row, dict)),
    "---\nname:\n- &1 short\n- *1\nx: &2 foo bar\n  baz\ny: *2\nz: *1\n",
    "---\na: |\n  x\n   y\n\n  z\nb: |+\n  q\n\n\nc: |2-\n   p\n  r\nd: 'it''s\n  a ''q'' x'\ne: \"a\\n b\n  \\ c\"\n",
    "---\nh: !ruby/hash:ActiveSupport::HashWithIndifferentAccess\n  a: 1\n  b:\n  - x\n  - y: 1\n    z: 2\n"
    "  :c: :d\n  first name: foo\nk:\n- - - a\n    - b\n  - c\n- d\n",
    f"---\nt: {TIME}\n  utc: &1 {UTC_TIME}\n  zone: &2 {ZONE}\n    name: Etc/UTC\n  time: *1\n"
    f"u: &3 {TIME}\n  utc: {UTC_TIME}\n  zone: *2\n  time: {UTC_TIME}\nv: *3\nw:\n- *1\n- *3\n",
    "---\na:\nb: -5\nc: 1.5\nd: -0.25\ne: 1e5\nf: ~\ng: yes\nh: No\ni: .inf\nj: 12 foo\nk: (x) y\nl: +5\nm: '+5'\n"
    'n: 007\no: 0x1f\np: a:b\nq: a#b\nr: 2020-02-30\ns: "\\u00e9\\x41\\U0001F600\\e"\nt: ""\nu: \'\'\n',
    "---\nbio: The customer called and asked about the offer of last week, which was for\n"
    "  ten seats, and runs until the end of the month.\n"
    "old:\n- Some long text that goes\n  on here\n- 'and: here\n  too'\n",
    "---\na: !ruby/object:Set\n  hash:\n    1: true\n    '1': true\n    ? - b\n    : true\nc: &1\n  d: 1\ne:\n"
    "  <<: *1\n  f: 2\n"
    "g: !binary |-\n  Y2Fm6Q==\nh: 10000-01-01 06:59:59.000000000 +07:00\ni: !!float '1e3'\nj: {<<: [*1, {k: 3}]}\n",
]
FRAGMENTS = [
    *" \n-:#'\"|&*!?[]{},>%@`\\~=0123456789abyYnNé\t\r\x85\u2028\xa0\ufeff.+_/",
    *("\n  ", "\n- ", "\n    ", "\n ", "\n\n", "\n---\n", "  ", "- ", "- -", ": ", " #", " # x", "'' ", "''", "&1 "),
    *("*1", "*12", "---", "...", "!!str ", "! ", "<<: ", "? ", "|-", "|2", "null", "true", "no", "\\n", "\\\n", "12"),
    *("2020-01-01", " 10:00:00", "1_0", "key: ", "no: ", ":a: ", "x:\n", "[]", "{}", "²", "٣", "\U0001f600", "\x7f"),
    *("\x1b", "\0", "\ud800"),
]  # fmt: skip


def same(left: Any, right: Any) -> bool:
    """Equal with the types and the order of keys, and NaN equal to itself."""
    return json.dumps(left) == json.dumps(right)


def check(text: str) -> None:
    """Both paths agree, and the public function raises nothing but its own error."""
    try:
        full: Any = read_full(text)
    except Refused:
        full = Refused
    try:
        fast = read_fast(text)
    except Uncommon:
        pass
    else:
        assert full is not Refused
        assert same(fast, full)
    try:
        found = read_audited_changes(text)
    except UnreadableChanges:
        assert not isinstance(full, dict)
    else:
        assert same(found, full)
        json.dumps(found, ensure_ascii=False).encode()


def inserted(text: str, place: float, fragment: str) -> str:
    at = int(place * len(text))
    return text[:at] + fragment + text[at:]


def removed(text: str, place: float, count: int) -> str:
    at = int(place * len(text))
    return text[:at] + text[at + count :]


def moved_line(text: str, place: float, other: float, change: str) -> str:
    lines = text.split("\n")
    at, source = int(place * len(lines)), int(other * len(lines))
    if change == "copy":
        lines.insert(at, lines[source])
    elif change == "drop":
        del lines[at]
    elif change == "join":
        lines[at : at + 2] = ["".join(lines[at : at + 2])]
    else:
        lines[at] = lines[at][1:] if change == "out" else change + lines[at]
    return "\n".join(lines)


PLACES = st.floats(0, 0.999)
EDITS = st.one_of(
    st.tuples(st.just(inserted), PLACES, st.sampled_from(FRAGMENTS)),
    st.tuples(st.just(removed), PLACES, st.integers(1, 8)),
    st.tuples(st.just(moved_line), PLACES, PLACES, st.sampled_from(["copy", "drop", "join", "out", " ", "  ", "- "])),
)


@MANY
@given(st.sampled_from(BASES), st.lists(EDITS, max_size=5))
def test_edited_texts_are_read_alike(text: str, edits: list[tuple[Any, ...]]) -> None:
    for edit, *arguments in edits:
        text = edit(text, *arguments)
    check(text)


@pytest.mark.parametrize("text", BASES, ids=count())
def test_any_syntax_at_the_edges_of_a_value_is_read_alike(text: str) -> None:
    edges = {match.end() for match in re.finditer(r"^ *|^ *-? ?[a-z_]*: ?|- |.$|[*&]\d*|\n", text, re.MULTILINE)}
    for at in edges:
        for fragment in FRAGMENTS:
            check(text[:at] + fragment + text[at:])


@MANY
@given(st.lists(st.sampled_from(FRAGMENTS), max_size=20))
@example(["---", "\n"])
@example(["x:\n", "---\n"])
def test_heaps_of_syntax_are_read_alike(parts: list[str]) -> None:
    check("---\na" + "".join(parts))
    check("---\n" + "".join(parts) + "\n")


@SOME
@given(st.text(), st.sampled_from(["", "---\n", "---\nkey: ", "{", '{"a": ']))
def test_any_text_is_read_alike(text: str, head: str) -> None:
    check(head + text)
    check(f"{head}{text}\n")


# What follows writes values as Psych does, so that it is also known which value a text stands for.

WORD = re.compile(r"(?i)true|false|yes|no|on|off|null|y|n")
PLAIN = re.compile(r"(?!.*(?:: | #))[^\W\d_](?:[^\x00-\x1f\x7f-\xa0\u2028\u2029\ufeff\ufffe\uffff]*[^\W_])?")


def written(text: str, indent: str) -> str:
    """A text in the style that libyaml would choose, or one close to it."""
    if PLAIN.fullmatch(text) and not WORD.fullmatch(text):
        return text
    if re.fullmatch(r"[ -~]+(?:\n[ -~]+)+\n?", text) and text[0] != " ":
        body = text.removesuffix("\n").replace("\n", f"\n{indent}  ")
        return f"|{'' if text.endswith(chr(10)) else '-'}\n{indent}  {body}"
    if re.fullmatch("[ -~]*", text):
        quoted = text.replace("'", "''")
        return f"'{quoted}'"
    escaped = (f"\\U{ord(letter):08X}" if letter in '"\\' or not " " <= letter <= "~" else letter for letter in text)
    return f'"{"".join(escaped)}"'


def lines_of(value: Any, indent: str) -> str:
    """What stands after a key or dash at `indent`, its space or line break included."""
    if value is None:
        return "\n"
    if isinstance(value, list) and value:
        return "\n" + "".join(f"{indent}-{item_of(item, indent)}" for item in value)
    if isinstance(value, dict) and value:
        return "\n" + entries(value, f"{indent}  ")
    return f" {written(value, indent) if isinstance(value, str) else json.dumps(value)}\n"


def item_of(value: Any, indent: str) -> str:
    if isinstance(value, list) and value:
        inner = f"{indent}  "
        return " " + lines_of(value, inner)[1 + len(inner) :]
    if isinstance(value, dict) and value:
        return " " + entries(value, f"{indent}  ")[len(indent) + 2 :]
    return lines_of(value, indent)


def entries(value: dict[str, Any], indent: str) -> str:
    return "".join(f"{indent}{key}:{lines_of(item, indent)}" for key, item in value.items())


LETTERS = st.characters(exclude_categories=["Cs"])
TEXTS = st.one_of(
    st.text(LETTERS, max_size=12),
    st.text(st.sampled_from("ab :#'\"-\n é0"), max_size=12),
    st.sampled_from(["2020-01-01", "12", "1.5", ":x", "true", "a: b", "+62", "[REDACTED]"]),
)
KEYS = st.from_regex(r"[a-z_][a-z0-9_]{0,20}", fullmatch=True).filter(lambda key: not WORD.fullmatch(key))
FLOATS = st.floats(-1e6, 1e6).filter(lambda number: "e" not in repr(number))
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), FLOATS, TEXTS)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=8
)


@SOME
@given(st.dictionaries(KEYS, VALUES, min_size=1, max_size=5))
def test_written_values_are_read_back(changes: dict[str, Any]) -> None:
    text = f"---\n{entries(changes, '')}"

    assert same(read_audited_changes(text), changes)
    check(text)


@SOME
@given(st.dictionaries(KEYS, SCALARS | st.tuples(SCALARS, SCALARS).map(list), min_size=1, max_size=5))
def test_flat_changes_never_need_the_full_path(changes: dict[str, Any]) -> None:
    assert same(read_fast(f"---\n{entries(changes, '')}"), changes)

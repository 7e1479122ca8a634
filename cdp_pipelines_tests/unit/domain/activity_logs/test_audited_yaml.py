import json
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from itertools import count
from types import MappingProxyType
from typing import Any

import pytest
import yaml

from cdp_pipelines.domain.activity_logs.audited_yaml import UnreadableChanges, read_audited_changes, read_counted
from cdp_pipelines.domain.activity_logs.yaml_events import read_events
from cdp_pipelines.domain.activity_logs.yaml_limits import DEEPEST, LONGEST_TEXT, MOST_NODES, Refused
from cdp_pipelines.domain.errors import PermanentFailure
from cdp_pipelines_tests.unit.corpora import load_corpus

CORPUS = load_corpus("audited_yaml.json")


def name_of(row: Any) -> str:
    return str(row.get("name", "corpus")) if isinstance(row, dict) else "corpus"


def is_expected(row: dict[str, Any], found: dict[str, Any]) -> bool:
    expected = row["expected"] or {}
    if row.get("subset"):
        return all(key in found and found[key] == value for key, value in expected.items())
    return bool(json.dumps(found) == json.dumps(expected))


@pytest.mark.parametrize("row", CORPUS, ids=name_of)
def test_the_corpus_reads_as_expected(row: dict[str, Any]) -> None:
    if row.get("expect_error"):
        with pytest.raises(UnreadableChanges):
            read_audited_changes(row["yaml"])
    else:
        assert is_expected(row, read_audited_changes(row["yaml"]))


@pytest.mark.parametrize("row", CORPUS, ids=name_of)
def test_the_corpus_reads_the_same_without_libyaml(row: dict[str, Any]) -> None:
    if row.get("expect_error"):
        with pytest.raises(Refused):
            read_events(row["yaml"], yaml.BaseLoader)
    else:
        # A document that is nil has no changes; only `read_full` says so.
        assert is_expected(row, read_events(row["yaml"], yaml.BaseLoader) or {})


def value_of(text: str) -> Any:
    """What both paths make of a value: in a block of its own, and in a flow list, which only the full path reads."""
    found = read_audited_changes(f"---\nvalue: {text}\n")["value"]
    other = read_audited_changes(f"---\nvalue: {text}\nflow: [1]\n")["value"]
    assert json.dumps(found) == json.dumps(other)
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("Null", None),
        ("''", ""),
        ("'null'", "null"),
        ("true", True),
        ("Yes", True),
        ("off", False),
        ("'no'", "no"),
        ("y", "y"),
        ("n", "n"),
        ("0", 0),
        ("-5", -5),
        ("+5", 5),
        ("1_000", 1000),
        ("1_", "1_"),
        ("1,000", "1,000"),
        ("017", 15),
        ("08", "08"),
        ("0o17", "0o17"),
        ("0x1F", 31),
        ("0x_", "0x_"),
        ("0b101", 5),
        ("9" * 30, int("9" * 30)),
        ("9" * 5000, "9" * 5000),
        ("1.5", 1.5),
        ("-0.25", -0.25),
        (".5", 0.5),
        ("1.", 1.0),
        ("1.0e+20", 1e20),
        ("1.0e+999", "1.0e+999"),
        ("1e3", "1e3"),
        ("1.5.2", "1.5.2"),
        (".", "."),
        ("...", "..."),
        ("12:30:45", "12:30:45"),
        ("10:20:30:40", "10:20:30:40"),
        ("12 Main St", "12 Main St"),
        ("2020-02-29", "2020-02-29"),
        ("2020-02-30", "2020-02-30"),
        ("0000-00-00", "0000-00-00"),
        ("2020-1-5", "2020-01-05"),
        ("2020-05-06 07:08:09.000000000 Z", "2020-05-06T07:08:09.000000Z"),
        ("2020-05-06 07:08:09.123456789 Z", "2020-05-06T07:08:09.123456Z"),
        ("2020-05-06 07:08:09.500000000 +07:00", "2020-05-06T00:08:09.500000Z"),
        ("2020-05-06 07:08:09 -0330", "2020-05-06T10:38:09.000000Z"),
        ("2020-05-06T07:08:09Z", "2020-05-06T07:08:09.000000Z"),
        ("2020-05-06 07:08:09", "2020-05-06T07:08:09.000000Z"),
        ("2020-02-30 07:08:09.000000000 Z", "2020-02-30 07:08:09.000000000 Z"),
        ("10000-01-01 06:59:59.000000000 +07:00", "9999-12-31T23:59:59.000000Z"),
        ("10000-01-01 00:00:00.000000001 +00:01", "9999-12-31T23:59:00.000000Z"),
        ("10000-01-01 07:00:00 +07:00", "10000-01-01 07:00:00 +07:00"),
        ("10000-01-02 00:00:00 +07:00", "10000-01-02 00:00:00 +07:00"),
        ("0000-12-31 12:00:00.000000000 -12:00", "0001-01-01T00:00:00.000000Z"),
        ("0000-12-31 23:59:59.5 -00:01", "0001-01-01T00:00:59.500000Z"),
        ("0000-12-31 11:59:59 -12:00", "0000-12-31 11:59:59 -12:00"),
        ("0000-12-30 23:59:59 -23:59", "0000-12-30 23:59:59 -23:59"),
        ("9999-12-31 23:00:00 -02:00", "9999-12-31 23:00:00 -02:00"),
        ("2016-12-31 23:59:60 Z", "2017-01-01T00:00:00.000000Z"),
        ("2016-12-31 23:59:61 Z", "2016-12-31 23:59:61 Z"),
        ("2020-02-28 24:00:00 +07:00", "2020-02-28T17:00:00.000000Z"),
        ("2020-02-28 24:00:01 Z", "2020-02-28 24:00:01 Z"),
        ("2020-02-28 23:60:00 Z", "2020-02-28 23:60:00 Z"),
        ("2020-05-06 07:08:09 +24:00", "2020-05-06 07:08:09 +24:00"),
        ("2020-05-06 07:08:09 -23:59", "2020-05-07T07:07:09.000000Z"),
        ("0001-01-01 00:00:00 +09:00", "0001-01-01 00:00:00 +09:00"),
        ("2020-05-06 07:08:09 +99:00", "2020-05-06 07:08:09 +99:00"),
        (":gold", "gold"),
        ('":gold"', ":gold"),
        (':"two words"', "two words"),
        (":a:b", "a:b"),
        ("! ':a: b'", "a: b"),
        ("! '>= 1.0'", ">= 1.0"),
        ('"[REDACTED]"', "[REDACTED]"),
        ('"[FILTERED]"', "[FILTERED]"),
        ('"\\U0001F642 \\u00e9\\x41\\e\\0"', "🙂 éA\x1b\0"),
        ("'it''s'", "it's"),
        ("<<", "<<"),
        ("=", "="),
        ("日本　語", "日本　語"),
    ],
    ids=count(),
)
def test_a_plain_scalar_means_what_psych_means_by_it(text: str, expected: Any) -> None:
    found = value_of(text)

    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(("text", "expected"), [(".inf", "inf"), ("-.INF", "-inf"), (".NaN", "nan")])
def test_endless_floats_are_floats(text: str, expected: str) -> None:
    assert str(value_of(text)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("!ruby/object:BigDecimal 18:0.105e2", "10.5"),
        ("!ruby/object:BigDecimal 18:0.1e4", "1000"),
        ("!ruby/object:BigDecimal 18:-0.12345e-3", "-0.00012345"),
        ("!ruby/object:BigDecimal 9:0.0", "0"),
        ("!ruby/object:BigDecimal 9:-0.0", "0"),
        ("!ruby/object:BigDecimal 9:0.1e1", "1"),
        ("!ruby/object:BigDecimal 9:NaN", "NaN"),
        ("!ruby/object:BigDecimal 9:-Infinity", "-Infinity"),
        ("!ruby/object:BigDecimal 9:0.1e999999999", "0.1e999999999"),
        ("!ruby/object:BigDecimal '18:0.105e2'", "10.5"),
        ("!ruby/object:BigDecimal junk", "junk"),
        ("!ruby/object:DateTime 2020-05-06 07:08:09.000000000 Z", "2020-05-06T07:08:09.000000Z"),
        ("!ruby/regexp /a+/i", "/a+/i"),
        ("!ruby/class 'String'", "String"),
        ("!ruby/symbol blah", "blah"),
        ("!ruby/sym blah", "blah"),
        ("!ruby/string:MyStr 12", "12"),
        ("!str 12", "12"),
        ("!!str 12", "12"),
        ("!float 5", 5.0),
        ("!!int '7'", 7),
        ("!!null ''", None),
        ("!binary aGVsbG8=", "hello"),
        ("!binary /9j/4AAQSkZJRgABAQ==", "ÿØÿà\0\x10JFIF\0\x01\x01"),
        ("!binary Y2Fm6Q==", "café"),
        ("!binary |\n  Y2Fm\n  6Q==", "café"),
        ("!binary gIGN", "\x80\x81\x8d"),
        ("!!float '1e3'", 1000.0),
        ("!float 1E-2", 0.01),
        ("!!float '1_000.5e1'", 10005.0),
        ("!!float 1e999", "1e999"),
        ("!!float 1__0", "1__0"),
        ("!!float abc", "abc"),
        ("!!int 1e3", "1e3"),
        ("!!int '1,000'", 1000),
        ("!!int -1,000,000", -1000000),
        ("!!int 1,000.5", "1,000.5"),
        ("!!null x", "x"),
        ("!!null", None),
        ("!ruby/range 1..5", {"begin": 1, "end": 5, "excl": False}),
        ("!ruby/range a...z", {"begin": "a", "end": "z", "excl": True}),
        ("!ruby/range 5", "5"),
        ("!!binary 4pyT", "✓"),
        ("!binary a", "a"),
        ("!unknown 12", 12),
        ("!unknown '12'", "12"),
        ("!ruby/object:Gem::Version {version: 1.2.3}", {"version": "1.2.3"}),
        ("!ruby/object:OpenStruct {table: {a: 1}, modifiable: true}", {"a": 1}),
        ("!ruby/object:OpenStruct {table: oak, seats: 4}", {"table": "oak", "seats": 4}),
        ("!ruby/object:Set {hash: {a: true, b: true}}", ["a", "b"]),
        ("!ruby/object:Set {hash: {1: true, '1': true, 2.5: true, ~: true, s: true}}", [1, "1", 2.5, None, "s"]),
        ("!ruby/object:Set {hash: {2020-01-01: true, yes: true}}", ["2020-01-01", True]),
        ("!ruby/object:Set {hash: {? [1, a] : true, ? {k: 2} : true}}", [[1, "a"], {"k": 2}]),
        ("!ruby/object:Set {hash: {? !ruby/object:Set {hash: {3: true}} : true}}", [[3]]),
        ("!ruby/object:Set {hash: {1: true, 1: true, 0x1: true}}", [1]),
        ("!ruby/object:Set {hash: [1, 2]}", [1, 2]),
        ("!ruby/object:Set {hash: text}", {"hash": "text"}),
        ("!ruby/object:Set {hash: {1: true}, name: x}", {"hash": [1], "name": "x"}),
        ("!ruby/object:SortedSet {hash: {2: true, 3: true}, keys: ~}", [2, 3]),
        ("!ruby/object:Set {hash: {1: true}, more: {1: true}}", {"hash": [1], "more": {"1": True}}),
        ("{hash: {1: true}}", {"hash": {"1": True}}),
        ("!ruby/object:Crm::Bag {hash: {1: true}}", {"hash": {"1": True}}),
        ("!ruby/set {hash: {a: true}}", ["a"]),
        ("!ruby/set {hash: {1: true}}", [1]),
        ("!ruby/set {1: true, b: true}", [1, "b"]),
        ("!ruby/set {hash: true}", ["hash"]),
        ("!set {1, '1', 2.0}", [1, "1", 2.0]),
        ("!!set {? [1] , 1, 1}", [[1], 1]),
        (
            "!ruby/object:ActiveRecord::Type::Time::Value {utc: 2000-01-01 02:30:00 Z, zone: x, time: y, more: z}",
            "2000-01-01T02:30:00.000000Z",
        ),
        (
            "!ruby/object:ActiveRecord::Type::Time::Value {delegate_dc_obj: 2000-01-01 02:30:00 Z}",
            "2000-01-01T02:30:00.000000Z",
        ),
        ("!ruby/object:Crm::Opening {utc: 2000-01-01 02:30:00 Z, zone: x, time: y}", "2000-01-01T02:30:00.000000Z"),
        ("!ruby/object:Crm::Opening {utc: 1, zone: x}", {"utc": 1, "zone": "x"}),
        ("!ruby/object:SimpleDelegator {delegate_sd_obj: [1]}", [1]),
        ("!ruby/object:SimpleDelegator {delegate_sd_obj: 1, name: x}", {"delegate_sd_obj": 1, "name": "x"}),
        ("!ruby/struct:Opening {utc: 1, zone: 2, time: 3}", {"utc": 1, "zone": 2, "time": 3}),
        ("!set {a, b}", ["a", "b"]),
        ("!omap [a: 1, b: 2]", {"a": 1, "b": 2}),
        ("!ruby/array:Tags [a, b]", ["a", "b"]),
        ("!ruby/array:Tags {internal: [a], ivars: {}}", ["a"]),
        ("!ruby/hash-with-ivars:H {elements: {a: 1}, ivars: {}}", {"a": 1}),
        ("!ruby/string:Html {str: x, safe: true}", "x"),
        ("!ruby/struct:Point {x: 1}", {"x": 1}),
        ("!ruby/object:IPAddr {family: 2, addr: 167772160, mask_addr: 4278190080}", "10.0.0.0/8"),
        ("!ruby/object:IPAddr {family: 10, addr: 1, mask_addr: 340282366920938463463374607431768211455}", "::1"),
        ("!ruby/object:IPAddr {family: 2, addr: -1}", {"family": 2, "addr": -1}),
        ("!ruby/object:ActiveSupport::TimeWithZone {zone: x}", {"zone": "x"}),
    ],
)
def test_a_tag_leaves_plain_data(text: str, expected: Any) -> None:
    found = value_of(text)

    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("name", "name"),
        (":name", "name"),
        ("'a: b'", "a: b"),
        ("first name", "first name"),
        ("true", "true"),
        ("No", "false"),
        ("null", "null"),
        ("~", "null"),
        ("12", "12"),
        ("1.5", "1.5"),
        ("2020-01-01", "2020-01-01"),
        ("[1, 2]", "[1, 2]"),
        ("{a: é}", '{"a": "é"}'),
        ("имя", "имя"),
    ],
)
def test_every_key_becomes_text(key: str, expected: str) -> None:
    assert read_audited_changes(f"---\n{key}: 1\n") == {expected: 1}
    assert read_audited_changes(f"---\nouter:\n  {key}: 1\n") == {"outer": {expected: 1}}


def test_of_a_key_that_comes_twice_the_last_value_counts() -> None:
    assert list(read_audited_changes("---\na: 1\nb: 2\na: 3\n").items()) == [("a", 3), ("b", 2)]
    assert list(read_audited_changes("---\na: 1\nb: 2\n'a': 3\n").items()) == [("a", 3), ("b", 2)]
    assert read_audited_changes('{"a": 1, "a": 2}') == {"a": 2}


TIME = "!ruby/object:ActiveSupport::TimeWithZone"
ZONE = "!ruby/object:ActiveSupport::TimeZone\n    name: Asia/Jakarta"
UTC_TIME = "2022-07-14 05:41:52.142873000 Z"


@pytest.mark.parametrize(
    "text",
    [
        f"---\nat: {TIME}\n  utc: {UTC_TIME}\n  zone: {ZONE}\n  time: 2022-07-14 12:41:52.142873000 Z\n",
        f"---\nat: {TIME}\n  utc: &1 {UTC_TIME}\n  zone: &2 {ZONE}\n  time: *1\n",
        f"---\nat: &3 {TIME}\n  utc: &1 {UTC_TIME}\n  zone: &2 {ZONE}\n  time: *1\nto: *3\n",
        f"---\nto: {TIME}\n  utc: {UTC_TIME}\n  zone: &1 {ZONE}\n  time: {UTC_TIME}\n"
        f"at: {TIME}\n  utc: {UTC_TIME}\n  zone: *1\n  time: {UTC_TIME}\n",
        f"---\nat: {TIME}\n  time: 2022-07-14 12:41:52.142873000 Z\n  zone: x\n  utc: {UTC_TIME}\n",
    ],
)
def test_of_a_time_with_zone_only_utc_is_the_instant(text: str) -> None:
    found = read_audited_changes(text)

    assert set(found.values()) == {"2022-07-14T05:41:52.142873Z"}
    assert "at" in found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{<<: {k: 1}, z: 2}", {"k": 1, "z": 2}),
        ("{<<: [{k: 1}, {m: 2}]}", {"k": 1, "m": 2}),
        ("{<<: [{k: 1}, {k: 2, m: 3}], m: 4}", {"k": 1, "m": 4}),
        ("{k: 0, <<: {k: 1}}", {"k": 1}),
        ("{<<: {k: 1}, k: 2}", {"k": 2}),
        ("{<<: {k: 1}, <<: {m: 2}}", {"k": 1, "m": 2}),
        ("{<<: {<<: {k: 1}, m: 2}}", {"k": 1, "m": 2}),
        ("{'<<': {k: 1}}", {"k": 1}),
        ("{!!str '<<': {k: 1}}", {"<<": {"k": 1}}),
        ("{<<: [], k: 1}", {"k": 1}),
        ("{<<: [{k: 1}, 2]}", {"<<": [{"k": 1}, 2]}),
        ("{<<: 5}", {"<<": 5}),
        ("{<<: }", {"<<": None}),
        ("{<<: !ruby/object:Set {hash: {a: true}}}", {"<<": ["a"]}),
        ("!ruby/hash:ActiveSupport::HashWithIndifferentAccess {<<: {k: 1}}", {"k": 1}),
        ("!ruby/object:Set {hash: {<<: {k: true}, 1: true}}", ["<<", 1]),
    ],
)
def test_merge_keys_bring_what_psych_lets_them_bring(text: str, expected: Any) -> None:
    assert json.dumps(value_of(text)) == json.dumps(expected)


def test_a_merge_of_aliases_brings_them_in_the_order_of_the_text() -> None:
    found = read_audited_changes("---\na: &x {k: 1}\nb: &y {m: 2}\nc:\n  <<: [*x, *y]\n<<: *y\n")

    assert json.dumps(found) == '{"a": {"k": 1}, "b": {"m": 2}, "c": {"k": 1, "m": 2}, "m": 2}'


@pytest.mark.parametrize(
    ("opening", "closing", "levels"),
    [
        ("[", "]", 1),
        ("{k: ", "}", 1),
        ("!set {? ", " : 1}", 1),
        ("!set {k: ", "}", 1),
        ("!ruby/object:Set {hash: {? ", " : 1}}", 2),
    ],
)
def test_every_kind_of_nesting_is_as_deep_as_the_others(opening: str, closing: str, levels: int) -> None:
    def nested(times: int) -> str:
        return f"---\na: {opening * times}1{closing * times}\n"

    # The document itself is the first level.
    most = (DEEPEST - 1) // levels
    assert "a" in read_audited_changes(nested(most))
    with pytest.raises(UnreadableChanges, match="nested more than"):
        read_audited_changes(nested(most + 1))


def test_an_alias_of_a_set_is_its_members() -> None:
    text = (
        "---\na:\n- &1 !ruby/object:Set\n  hash:\n    1: true\n- *1\nb: !ruby/object:Set {hash: &2 {7: true}}\nc: *2\n"
    )

    assert read_audited_changes(text) == {"a": [[1], [1]], "b": [7], "c": [7]}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("---\na: 1\n", 0),
        ("---\na: !binary aGVsbG8=\n", 0),
        ("---\na: !binary |-\n  Y2Fm6Q==\n", 1),
        ("---\na:\n- !binary /w==\n- !!binary /g==\nb: !binary 4pyT\n", 2),
        ("---\n? !binary /w==\n: 1\n", 1),
        ("---\na: &1 !binary /w==\nb: *1\n", 1),
        ('{"a": "\xff"}', 0),
        ({"a": "\xff"}, 0),
    ],
    ids=count(),
)
def test_binary_texts_read_as_latin_1_are_counted(text: Any, expected: int) -> None:
    assert read_counted(text) == (read_audited_changes(text), expected)


def test_an_alias_of_a_mapping_can_be_merged_and_any_other_merge_key_is_a_key() -> None:
    assert read_audited_changes("---\na: &1\n  x: 1\nb:\n  y: 2\n  <<: *1\n")["b"] == {"y": 2, "x": 1}
    assert read_audited_changes("---\na: &1 z\nb:\n  <<: *1\n")["b"] == {"<<": "z"}
    assert read_audited_changes("---\n? !x {str: 1}\n: &1 {a: 1}\n? !str {str: <<}\n: *1\n") == {
        '{"str": 1}': {"a": 1},
        "a": 1,
    }


@pytest.mark.parametrize(
    "text",
    [
        "--- !ruby/hash:ActiveSupport::HashWithIndifferentAccess\nname: Ann\n",
        "--- !map:ActiveSupport::HashWithIndifferentAccess \nname: Ann\n",
        "--- \nname: Ann\n",
        "name: Ann",
        "\ufeff---\nname: Ann\n",
        "---\r\nname: Ann\r\n",
        "%YAML 1.1\n---\nname: Ann\n...\n",
        "--- {name: Ann}\n",
        "{name: Ann}",
        '{"name": "Ann"}',
        ' \n{"name": "Ann"} ',
        "---\n# a comment\nname: Ann # another\n",
        "---\nname:\n  Ann\n",
    ],
)
def test_other_heads_and_layouts_are_read(text: str) -> None:
    assert read_audited_changes(text) == {"name": "Ann"}


@pytest.mark.parametrize(
    "text",
    [
        "--- {}\n",
        "{}",
        "--- !ruby/hash:ActiveSupport::HashWithIndifferentAccess {}\n",
        # nil, as Psych of several ages and others dump it
        "---\n",
        "--- \n",
        "---",
        "--- \n...\n",
        "---\n...\n",
        "--- ~\n",
        "--- ~\n...\n",
        "--- null\n...\n",
        "--- !!null ''\n",
        "--- ! ''\n",
        "\ufeff---\n",
        "---\r\n",
        "---\n# nothing\n",
        "null",
        "~",
    ],
)
def test_no_changes_are_a_valid_update(text: str) -> None:
    assert read_audited_changes(text) == {}


@pytest.mark.parametrize(
    ("text", "reason", "line"),
    [
        (None, "missing", None),
        ("", "empty", None),
        (" \n\t\n", "empty", None),
        ("# nothing but a comment\n", "empty", None),
        (b"--- {}\n", "not a text but bytes", None),
        (7, "not a text but int", None),
        ("--- ''\n", "not a mapping of attributes but a single value", None),
        ("---\n---\n", "more than one document", 2),
        ("--- Ann\n", "not a mapping of attributes but a single value", None),
        ("---\n- Ann\n", "not a mapping of attributes but a list", None),
        ('["Ann"]', "not a mapping of attributes but a list", None),
        ("---\na: 1\n---\nb: 2\n", "more than one document", 3),
        ("---\na: 'x\n", "not valid YAML", None),
        ("---\na: b\n c: d\n", "not valid YAML", 3),
        ("---\na: *1\n", "an alias of nothing", 2),
        ("---\na: &1\n- *1\n", "an alias of what it is part of", 3),
        ("---\na: &1 {b: *1}\n", "an alias of what it is part of", 2),
        ("---\na: \x07\n", "a character that YAML forbids", 2),
        ("---\nb: 1\na: \ud800\n", "a character that YAML forbids", 3),
        ('---\na: "\\ud800"\n', "not valid YAML", 2),
        ("---\na: !%ED%A0%80 b\n", "not valid YAML", None),
        ('{"a": NaN}', "NaN or Infinity", None),
        ('{"a": -Infinity}', "NaN or Infinity", None),
        (f"---\na: {'x' * LONGEST_TEXT}\n", "longer than 1,048,576 characters", None),
        (f"---\na: {'[' * (DEEPEST + 1)}", f"nested more than {DEEPEST} levels deep", None),
        (f'{{"a": {"[" * DEEPEST}{"]" * DEEPEST}}}', f"nested more than {DEEPEST} levels deep", None),
        (f'{{"a": {"[" * 100_000}', f"nested more than {DEEPEST} levels deep", None),
        (f"---\na: {'- ' * 60}x\n", "", None),
        (f"---\na: [{'1, ' * MOST_NODES}]\n", "more than 100,000 values", None),
        (f"---\na:\n{'- ' * 40}[{'x,' * 600_000}", "longer", None),
        (f"---\n? [{'x' * 2_000}]\n: 1\n", "a key of more than 1,024 characters", None),
    ],
    ids=count(),
)
def test_what_cannot_be_read_says_why_and_where(text: Any, reason: str, line: int | None) -> None:
    with pytest.raises(UnreadableChanges) as caught:
        read_audited_changes(text)

    assert caught.value.code == "unreadable_changes"
    assert isinstance(caught.value, PermanentFailure)
    assert reason in caught.value.message
    if line is not None:
        assert caught.value.details == {"line": line}
        assert caught.value.message.endswith(f"line {line}")


def bomb(leaf: str, levels: int, width: int = 10) -> str:
    doubled = (f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * width)}]" for level in range(1, levels))
    lines = ["---", f"a0: &a0 {leaf}", *doubled]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("text", [bomb("lol", 10), bomb("x" * 500_000, 3), bomb("{}", 45, 2)], ids=count())
def test_aliases_cannot_stand_for_an_enormous_value(text: str) -> None:
    with pytest.raises(UnreadableChanges, match="more than 100,000 values, aliases expanded"):
        read_audited_changes(text)


def test_keys_inside_keys_cannot_double_without_end() -> None:
    with pytest.raises(UnreadableChanges, match="a key of more than"):
        read_audited_changes("---\na: " + "{? " * 40 + '"\\""' + "}" * 40 + "\n")


def test_a_merge_of_merges_is_bounded() -> None:
    wide = ", ".join(f"k{number}: {number}" for number in range(1_000))
    lines = ["---", f"a: &1 {{{wide}}}", *(f"b{number}: {{<<: *1}}" for number in range(1_000))]
    with pytest.raises(UnreadableChanges, match="more than"):
        read_audited_changes("\n".join(lines))


@pytest.mark.parametrize("loader", [yaml.BaseLoader, getattr(yaml, "CBaseLoader", yaml.BaseLoader)])
@pytest.mark.parametrize(
    "text",
    [
        "---\nname: 'hunter2\n",
        "---\nname: hunter2: hunter2\n",
        "---\nname: *hunter2\n",
        "---\nname: !hunter2!x y\n",
        '---\nname: "\\hunter2"\n',
        "---\nname:\n\thunter2\n",
        "---\nname: @hunter2\n",
        "---\n&hunter2 &hunter2 a: b\n",
        "%hunter2 x\n%YAML 9.hunter2\n---\na: b\n",
        "--- hunter2\n--- hunter2\n",
        '---\nname: "\\UFFFFFFFF hunter2"\n',
    ],
)
def test_a_refusal_never_tells_what_the_text_says(loader: Any, text: str) -> None:
    with pytest.raises(Refused) as caught:
        read_events(text, loader)

    assert "hunter2" not in caught.value.reason
    with pytest.raises(UnreadableChanges) as outer:
        read_audited_changes(text)
    assert "hunter2" not in str(outer.value)
    assert outer.value.__suppress_context__


def test_json_values_stay_what_they_are() -> None:
    text = '{"a": 1.0, "b": 12345678901234567890, "c": "2020-01-01", "d": "\\ud83d\\ude42", "e": "\\ud800x", "f": null}'

    assert read_audited_changes(text) == {
        "a": 1.0,
        "b": 12345678901234567890,
        "c": "2020-01-01",
        "d": "🙂",
        "e": "\ufffdx",
        "f": None,
    }
    assert read_audited_changes(f'{{"a": {"9" * 5_000}, "b": 1e999}}') == {"a": "9" * 5_000, "b": "1e999"}


def test_a_mapping_from_the_driver_is_made_plain() -> None:
    given: Mapping[Any, Any] = MappingProxyType(
        {
            "a": [1, (2.5, None)],
            7: {"b": True},
            "c": Decimal("10.50"),
            "d": date(2020, 2, 29),
            "e": datetime(2020, 2, 29, 7, 0, tzinfo=timezone(timedelta(hours=7))),
            "f": datetime(2020, 2, 29, 7, 0, tzinfo=UTC).replace(tzinfo=None),
            "g": "\ud800",
        }
    )

    assert read_audited_changes(given) == {
        "a": [1, [2.5, None]],
        "7": {"b": True},
        "c": "10.5",
        "d": "2020-02-29",
        "e": "2020-02-29T00:00:00.000000Z",
        "f": "2020-02-29T07:00:00.000000Z",
        "g": "\ufffd",
    }


@pytest.mark.parametrize("value", [object(), b"x", 10**5000, {"a": {1, 2}}], ids=count())
def test_a_mapping_of_other_things_is_refused(value: Any) -> None:
    with pytest.raises(UnreadableChanges, match=re.compile("a value of the type")):
        read_audited_changes({"a": value})


def test_a_mapping_inside_itself_is_refused() -> None:
    endless: dict[str, Any] = {}
    endless["a"] = endless
    with pytest.raises(UnreadableChanges, match="nested more than"):
        read_audited_changes(endless)

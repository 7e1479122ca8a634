"""Texts dumped by Ruby 3.1 with Psych 4.0.3 and Active Support, and what Ruby itself reads from them.

`data/psych.json` holds `{kind, yaml, value}`: one text for each kind of value that an attribute can have, then values
that were put together by chance. Objects stand there by their fields, sets as lists, instants in UTC.
"""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

import cdp_pipelines_tests
from cdp_pipelines.domain.activity_logs.audited_yaml import read_audited_changes
from cdp_pipelines.domain.activity_logs.yaml_events import read_events

DATA = Path(cdp_pipelines_tests.__file__).parent / "data" / "psych.json"
DUMPED: list[dict[str, Any]] = json.loads(DATA.read_text(encoding="utf-8"))


def same(left: Any, right: Any) -> bool:
    """Equal with the types, in whatever order the keys are: a merge of several brings them in the text's order."""
    return json.dumps(left, sort_keys=True) == json.dumps(right, sort_keys=True)


@pytest.mark.parametrize("row", DUMPED, ids=lambda row: row["kind"])
def test_what_ruby_dumped_reads_as_ruby_reads_it(row: dict[str, Any]) -> None:
    assert same(read_audited_changes(row["yaml"]), row["value"])


@pytest.mark.parametrize("row", DUMPED, ids=lambda row: row["kind"])
def test_what_ruby_dumped_reads_the_same_without_libyaml(row: dict[str, Any]) -> None:
    assert same(read_events(row["yaml"], yaml.BaseLoader) or {}, row["value"])

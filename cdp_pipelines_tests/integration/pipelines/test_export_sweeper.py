"""`export_run_failures` as the daemon evaluates it: every kind, each with its own place to go on from."""

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from cdp_pipelines.domain.errors import TransientFailure
from cdp_pipelines.pipelines.contact_export.kind import CONTACT_EXPORT
from cdp_pipelines.pipelines.exports.config import MOST_SWEEPS_A_TICK
from cdp_pipelines.pipelines.exports.kinds import ExportKind
from cdp_pipelines.pipelines.exports.sensors import export_run_failures_sensor
from cdp_pipelines.resources.work_directory import work_directory
from cdp_pipelines_tests.integration.pipelines.harness import Exports

pytestmark = pytest.mark.any_mongo


def out_of_order(services: Any, report: Any) -> None:
    raise TransientFailure("MONGO_UNAVAILABLE", "MongoDB does not answer.")


PAST = datetime(2024, 5, 1, tzinfo=UTC)
OTHER = replace(CONTACT_EXPORT, name="other_export", title="other export", repeat=out_of_order)


def sweep(exports: Exports, kinds: Sequence[ExportKind[Any]], cursor: str | None = None) -> tuple[str, str | None]:
    """What the tick says, and the cursor it leaves."""
    resources = {kind.name: exports.resource for kind in kinds}
    with dg.build_sensor_context(instance=exports.instance, resources=resources, cursor=cursor) as context:
        evaluated = export_run_failures_sensor(kinds).evaluate_tick(context)
    return str(evaluated.skip_message), evaluated.cursor


def test_a_kind_that_cannot_be_swept_does_not_stop_the_others(exports: Exports) -> None:
    said, _ = sweep(exports, [OTHER, CONTACT_EXPORT])
    assert "other export: MONGO_UNAVAILABLE" in said
    assert "contact export: 0 open exports looked at, 0 ended." in said
    with pytest.raises(TransientFailure):
        sweep(exports, [OTHER])


def test_each_kind_goes_on_where_it_stopped(exports: Exports) -> None:
    long_ago = {"launch": {"token": "t", "at": PAST, "expires_at": PAST}}
    for _ in range(MOST_SWEEPS_A_TICK + 1):
        exports.queue(**long_ago)
    said, cursor = sweep(exports, [CONTACT_EXPORT], cursor="6650f0000000000000000000")
    assert f"{MOST_SWEEPS_A_TICK} open exports looked at" in said
    assert list(json.loads(cursor or "")) == ["contact_export"]
    said, cursor = sweep(exports, [CONTACT_EXPORT], cursor=cursor)
    assert "1 open exports looked at" in said
    assert json.loads(cursor or "") == {}


def test_a_kind_keeps_its_place_while_it_cannot_be_swept(exports: Exports) -> None:
    _, cursor = sweep(exports, [OTHER, CONTACT_EXPORT], cursor='{"other_export": "x", "contact_export": 5}')
    assert json.loads(cursor or "") == {"other_export": "x"}


def test_the_work_folders_of_dead_runs_go_with_a_sweep(
    exports: Exports, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CDP_TEMP_DIR", str(tmp_path))
    with work_directory(tmp_path) as living:
        dead = tmp_path / living.name.replace(f"-{os.getpid()}-", "-999999999-")
        dead.mkdir()
        (dead / "customers.xlsx").write_text("x")
        sweep(exports, [CONTACT_EXPORT])
        assert list(tmp_path.glob("cdp-export-*")) == [living]
    monkeypatch.setenv("CDP_TEMP_DIR", str(tmp_path / "nowhere"))
    said, _ = sweep(exports, [CONTACT_EXPORT])
    assert "looked at" in said

"""The Dagster UI in a real browser: the asset, its partitions, a run and its figures, with pictures to look at."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cdp_pipelines_tests.e2e.test_queue_to_inbox import ended
from cdp_pipelines_tests.integration.pipelines.harness import Exports
from cdp_pipelines_tests.support.browser import CHROMIUM, NO_CHROMIUM

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(CHROMIUM is None, reason=NO_CHROMIUM),
]


def test_operators_see_asset_partitions_and_run(
    live: Exports, running_daemon: Path, dagster_ui: str, page: "Page", screenshots: Path
) -> None:
    job = ended(live, live.queue())
    assert job["status"] == "completed"
    page.goto(f"{dagster_ui}/assets/contact_exports?view=partitions&partition={live.company}")
    page.get_by_text(live.company).first.wait_for()
    page.get_by_text("size_bytes").first.wait_for()
    page.screenshot(path=screenshots / "asset-partition.png")
    page.goto(f"{dagster_ui}/runs/{job['run_id']}")
    for step in ("load_request", "render_file", "deliver", "finish"):
        page.get_by_text(step).first.wait_for()
    page.get_by_text("Success").first.wait_for()
    page.screenshot(path=screenshots / "run.png")
    page.goto(f"{dagster_ui}/automation")
    for sensor in ("contact_export_requests", "export_run_failures", "company_partitions"):
        page.get_by_text(sensor).first.wait_for()
    page.get_by_text("Standard sensor").nth(2).wait_for()
    page.screenshot(path=screenshots / "sensors.png")

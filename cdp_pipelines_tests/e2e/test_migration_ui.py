"""Ops and stewards in the Dagster UI alone: coverage, one company, a backfill, a halt, going on, checks, a rollback."""

from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from cdp_pipelines_tests.e2e.migration_site import BROKEN, CLEAN, Site
from cdp_pipelines_tests.support.browser import CHROMIUM, NO_CHROMIUM
from cdp_pipelines_tests.support.waiting import wait_for

if TYPE_CHECKING:
    from playwright.sync_api import Page

LOCATION = "locations/cdp_pipelines"

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(CHROMIUM is None, reason=NO_CHROMIUM),
]


def newest_run(url: str) -> dict[str, str]:
    """Id and status of the newest run, as the UI's own server says."""
    query = "{ runsOrError(limit: 1) { ... on Runs { results { id status } } } }"
    answer = httpx.post(f"{url}/graphql", json={"query": query}, timeout=30).json()
    results: list[dict[str, str]] = answer["data"]["runsOrError"]["results"]
    return results[0] if results else {"id": "", "status": ""}


def materialize(page: "Page", url: str, asset: str, company: str) -> None:
    """Launch one partition from the asset's page, and wait until its run has ended."""
    before = newest_run(url)["id"]
    page.goto(f"{url}/assets/{asset}?view=partitions&partition={company}")
    page.get_by_role("button", name="Materialize…").click()
    page.get_by_text("1 partition", exact=True).first.wait_for()
    page.get_by_role("button", name="Launch 1 run").click()

    def ended() -> bool:
        run = newest_run(url)
        return run["id"] != before and run["status"] in {"SUCCESS", "FAILURE"}

    wait_for(f"a run of {asset} for {company}", ended, seconds=120)


def roll_back(page: "Page", url: str, company: str) -> None:
    """Launch the rollback from the launchpad, with its confirmation typed."""
    page.goto(f"{url}/{LOCATION}/jobs/activity_logs_rollback/playground")
    box = page.get_by_placeholder("Partition")
    box.click()
    box.fill(company)
    page.get_by_text(company).last.wait_for()
    page.keyboard.press("Enter")
    page.locator(".CodeMirror").first.click()
    page.keyboard.press("Control+A")
    page.keyboard.insert_text(f"ops:\n  roll_back_activity_logs:\n    config:\n      confirm: {company}\n")
    page.get_by_text("No errors").first.wait_for()
    page.get_by_role("button", name="Launch Run").click()
    page.wait_for_url("**/runs/**")


def test_ops_do_everything_from_the_ui(
    site: Site, running_daemon: Path, dagster_ui: str, page: "Page", screenshots: Path
) -> None:
    url = dagster_ui
    uncovered = site.company("ui-uncovered", people=40, contacts=30, audits=50, shape=CLEAN)
    fine = [site.company(f"ui-fine-{n}", people=20, contacts=20, audits=120, shape=CLEAN) for n in (1, 2, 3)]
    broken = site.company("ui-broken", people=20, contacts=20, audits=1_200, shape=BROKEN)
    page.goto(f"{url}/assets/crm_contact_coverage?view=partitions")
    page.get_by_text(broken).first.wait_for(timeout=90_000)
    page.get_by_text(uncovered).first.wait_for()

    materialize(page, url, "crm_contact_coverage", uncovered)
    page.goto(f"{url}/assets/crm_contact_coverage?view=partitions&partition={uncovered}")
    page.get_by_text("missing_people").first.wait_for(timeout=90_000)
    page.screenshot(path=screenshots / "coverage.png")

    materialize(page, url, "activity_logs", fine[0])
    assert site.ended(fine[0], "completed", "completed_with_errors")["match_pct"] >= 99

    page.goto(f"{url}/assets/activity_logs?view=partitions")
    page.get_by_text(broken).first.wait_for()
    page.get_by_role("button", name="Materialize…").click()
    page.get_by_role("button", name="Missing", exact=True).click()
    page.get_by_role("button", name="Launch").last.click()
    for company in fine:
        site.ended(company, "completed", "completed_with_errors")
    halted = site.ended(broken, "halted")
    assert site.db["crm_activity_log_migration_jobs"].count_documents({"company_sso_id": uncovered}) == 0

    page.goto(f"{url}/runs/{halted['run_id']}?logs=type%3ASTEP_FAILURE")
    page.get_by_text("so the migration halted").first.wait_for()
    page.screenshot(path=screenshots / "halted.png")

    site.mend()
    materialize(page, url, "activity_logs", broken)
    went_on = site.ended(broken, "completed", "completed_with_errors")
    assert went_on["_id"] == halted["_id"]
    assert went_on["records_processed"] == went_on["records_total"] == 1_200
    page.goto(f"{url}/assets/activity_logs?view=partitions&partition={broken}")
    page.get_by_text("skipped_post_sync_live_feed").or_(page.get_by_text("outcomes")).first.wait_for()
    page.get_by_text("taken_up_failed").first.wait_for()
    page.screenshot(path=screenshots / "taken-up.png")

    page.goto(f"{url}/assets/activity_logs?view=checks&checkDetail=match_pct")
    for check in ("match_pct", "coverage_pct", "failure_rate", "no_duplicates", "degraded_people", "watermark_seam"):
        page.get_by_text(check).first.wait_for()
    page.get_by_text("Partitions", exact=True).last.click()
    page.get_by_text(fine[1]).first.wait_for()
    page.screenshot(path=screenshots / "checks.png")

    roll_back(page, url, fine[0])
    assert site.ended(fine[0], "rolled_back")["records_rolled_back"] > 0
    page.get_by_text("deleted_in_all").first.wait_for()
    page.screenshot(path=screenshots / "rollback.png")
    assert site.db["activity_logs"].count_documents({"company_sso_id": fine[0]}) == 0
    assert site.db["activity_logs"].count_documents({"company_sso_id": fine[1]}) > 0

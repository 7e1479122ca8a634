"""The outward names of SPEC 8, and that loading the code location needs nothing from outside."""

import os

import dagster as dg
import pytest

from cdp_pipelines.definitions import build_defs
from cdp_pipelines.pipelines.activity_logs.config import ACTIVITY_LOGS
from cdp_pipelines.pipelines.contact_notes.config import CONTACT_NOTES
from cdp_pipelines.pipelines.migrations.kinds import MigrationKind
from cdp_pipelines.pipelines.partitions import COMPANY_PARTITIONS


@pytest.fixture
def definitions(monkeypatch: pytest.MonkeyPatch) -> dg.Definitions:
    for name in [name for name in os.environ if name.startswith(("CDP_", "CRM_", "AWS_", "DAGSTER_", "LAUNCHPAD_"))]:
        monkeypatch.delenv(name)
    return build_defs()


def test_it_loads_without_an_environment(definitions: dg.Definitions) -> None:
    dg.Definitions.validate_loadable(definitions)


def test_jobs_assets_sensors_and_checks_have_the_names_others_rely_on(definitions: dg.Definitions) -> None:
    repository = definitions.get_repository_def()
    jobs = {job.name for job in repository.get_all_jobs() if not job.name.startswith("__")}
    assert jobs == {
        "contact_export", "entity_export", "activity_logs_migration", "activity_logs_rollback", "activity_logs_checks",
        "contact_notes_migration", "contact_notes_rollback", "contact_notes_checks",
    }  # fmt: skip
    assert {key.to_user_string() for key in repository.assets_defs_by_key} == {
        "contact_exports", "entity_exports", "crm_contact_coverage", "activity_logs", "contact_notes",
    }  # fmt: skip
    assert {sensor.name for sensor in repository.sensor_defs} == {
        "company_partitions", "contact_export_requests", "entity_export_requests", "export_run_failures",
        "migration_requests", "migration_run_failures",
    }  # fmt: skip
    checks = {key.to_user_string() for key in repository.asset_graph.asset_check_keys}
    assert checks == {
        "crm_contact_coverage:coverage_pct", "activity_logs:match_pct", "activity_logs:coverage_pct",
        "activity_logs:failure_rate", "activity_logs:no_duplicates", "activity_logs:watermark_seam",
        "activity_logs:degraded_people", "contact_notes:degraded_people",
        "contact_notes:match_pct", "contact_notes:coverage_pct", "contact_notes:failure_rate",
        "contact_notes:no_duplicates", "contact_notes:attachments",
    }  # fmt: skip


def test_everything_is_partitioned_by_company(definitions: dg.Definitions) -> None:
    repository = definitions.get_repository_def()
    for assets in repository.assets_defs_by_key.values():
        assert assets.partitions_def == COMPANY_PARTITIONS
    for kind in (ACTIVITY_LOGS, CONTACT_NOTES):
        for name in (kind.start_job, kind.rollback_job):
            assert definitions.resolve_job_def(name).partitions_def == COMPANY_PARTITIONS


@pytest.mark.parametrize("kind", [ACTIVITY_LOGS, CONTACT_NOTES], ids=lambda kind: kind.kind)
@pytest.mark.parametrize("executor", ["in_process", "multiprocess"])
def test_a_migration_can_be_planned_for_either_executor(
    definitions: dg.Definitions, executor: str, kind: MigrationKind
) -> None:
    from dagster._core.execution.api import create_execution_plan

    job = definitions.resolve_job_def(kind.start_job)
    plan = create_execution_plan(job, run_config={"execution": {"config": {executor: {}}}})
    assert f"{kind.asset}.gates" in {step.key for step in plan.steps}


def test_what_is_launched_from_an_assets_page_can_be_planned(definitions: dg.Definitions) -> None:
    """The implicit job takes the location's executor, which must fit every asset's steps."""
    from dagster._core.execution.api import create_execution_plan

    for job in definitions.get_repository_def().get_all_jobs():
        if job.name.startswith("__"):
            assert create_execution_plan(job).steps

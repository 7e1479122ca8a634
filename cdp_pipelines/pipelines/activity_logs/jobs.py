"""The jobs `activity_logs_migration`, `activity_logs_rollback` and `activity_logs_checks`, by company."""

from cdp_pipelines.pipelines.activity_logs.checks import EVALUATIONS
from cdp_pipelines.pipelines.activity_logs.config import ACTIVITY_LOGS
from cdp_pipelines.pipelines.migrations.jobs import migration_job
from cdp_pipelines.pipelines.migrations.rechecking import checks_job
from cdp_pipelines.pipelines.migrations.rollback import rollback_job

activity_logs_migration_job = migration_job(ACTIVITY_LOGS)
activity_logs_rollback_job = rollback_job(ACTIVITY_LOGS, EVALUATIONS)
activity_logs_checks_job = checks_job(ACTIVITY_LOGS, EVALUATIONS)

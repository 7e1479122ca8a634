"""The jobs `contact_notes_migration`, `contact_notes_rollback` and `contact_notes_checks`, by company."""

from cdp_pipelines.pipelines.contact_notes.checks import EVALUATIONS
from cdp_pipelines.pipelines.contact_notes.config import CONTACT_NOTES
from cdp_pipelines.pipelines.migrations.jobs import migration_job
from cdp_pipelines.pipelines.migrations.rechecking import checks_job
from cdp_pipelines.pipelines.migrations.rollback import rollback_job

contact_notes_migration_job = migration_job(CONTACT_NOTES)
contact_notes_rollback_job = rollback_job(CONTACT_NOTES, EVALUATIONS)
contact_notes_checks_job = checks_job(CONTACT_NOTES, EVALUATIONS)

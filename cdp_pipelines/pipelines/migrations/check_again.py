"""A migration's checks for one company in this process, for commands that changed what the checks speak of."""

import logging

import dagster as dg

from cdp_pipelines.pipelines.migrations.services import from_environment
from cdp_pipelines.pipelines.partitions import COMPANY_PARTITIONS_NAME

logger = logging.getLogger(__name__)


def check_again(job: dg.JobDefinition, company_sso_id: str) -> bool:
    """Run a checks job on the Dagster that `DAGSTER_HOME` names; what the checks say is then in its UI.

    False: Dagster could not be reached, knows no such company yet, or the run failed.
    """
    resource = from_environment()
    definitions = dg.Definitions(jobs=[job], resources={"migrations": resource})
    try:
        with dg.DagsterInstance.get() as instance:
            if not instance.has_dynamic_partition(COMPANY_PARTITIONS_NAME, company_sso_id):
                return False
            return (
                definitions.resolve_job_def(job.name)
                .execute_in_process(
                    instance=instance,
                    partition_key=company_sso_id,
                    run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
                    raise_on_error=False,
                )
                .success
            )
    except Exception as exc:  # noqa: BLE001 - of many families; none may undo what the command has done
        logger.warning("the checks could not be evaluated in Dagster (%s)", type(exc).__name__)
        return False
    finally:
        resource.close()

"""Keeps Dagster's company partitions equal to the companies in MongoDB (SPEC section 1)."""

import dagster as dg

from cdp_pipelines.domain.companies import PartitionPlan, is_partition_key, plan_partitions
from cdp_pipelines.pipelines.partitions import COMPANY_PARTITIONS
from cdp_pipelines.resources.cdp_mongo import CdpMongoResource
from cdp_pipelines.stores.companies import CompanyStore

MOST_CHANGES_A_TICK = 1_000


def _materialized_keys(context: dg.SensorEvaluationContext) -> set[str]:
    """Companies under which any asset of this code location was ever materialized."""
    repository = context.repository_def
    if repository is None:
        return set()
    keys: set[str] = set()
    for asset_key, definition in repository.assets_defs_by_key.items():
        if definition.partitions_def == COMPANY_PARTITIONS:
            keys |= context.instance.get_materialized_partitions(asset_key)
    return keys


@dg.sensor(
    name="company_partitions",
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Adds a partition for every company in MongoDB; removes those of companies that are gone, unless "
    "something was materialized under them.",
)
def company_partitions(
    context: dg.SensorEvaluationContext, cdp_mongo: CdpMongoResource
) -> dg.SensorResult | dg.SkipReason:
    """One read of the companies, one pure plan, one change of the partitions."""
    companies = CompanyStore(cdp_mongo.database()).keys()
    existing = context.instance.get_dynamic_partitions("company")
    gone = set(existing) - {key for key in companies if isinstance(key, str) and is_partition_key(key)}
    materialized = _materialized_keys(context) if gone else set()
    plan = plan_partitions(companies, existing, materialized, at_most=MOST_CHANGES_A_TICK)
    if plan.unusable:
        context.log.warning("%d companies have an id that cannot be a partition key and are left out", plan.unusable)
    return _to_result(plan)


def _to_result(plan: PartitionPlan) -> dg.SensorResult | dg.SkipReason:
    if not plan.add and not plan.remove:
        return dg.SkipReason("Partitions and companies agree.")
    requests: list[dg.AddDynamicPartitionsRequest | dg.DeleteDynamicPartitionsRequest] = []
    if plan.add:
        requests.append(COMPANY_PARTITIONS.build_add_request(list(plan.add)))
    if plan.remove:
        requests.append(COMPANY_PARTITIONS.build_delete_request(list(plan.remove)))
    return dg.SensorResult(dynamic_partitions_requests=requests)

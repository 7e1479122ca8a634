"""What a fresh set of local servers needs: index migrations, the bucket's expiry rule, a CRM's tables without rows."""

from collections.abc import Callable


def prepare(report: Callable[[str], None], *, local_crm: str) -> None:
    """Apply the migrations and set the rule, with this process's settings, and make the CRM's tables; says what it did.

    Args:
        report: takes one sentence for each.
        local_crm: connection string of the local CRM, named by the caller, for no other may ever get tables.
    """
    from cdp_pipelines.cli.services import close, contact_export_resource
    from cdp_pipelines.local.crm_schema import create_crm_schema
    from cdp_pipelines.local.demo_crm_tables import connected
    from cdp_pipelines.stores.migrations.runner import Migrator

    resource = contact_export_resource()
    try:
        done = Migrator(resource.services().database).up()
        report(f"Indexes: {len(done)} migrations applied." if done else "Indexes: all migrations were applied before.")
    finally:
        close(resource)
    report(set_expiry_rule())
    connected(local_crm, create_crm_schema)


def set_expiry_rule() -> str:
    """Have the bucket remove exported files after 2 days; returns a sentence about it."""
    from cdp_pipelines.domain.contact_export.delivery import FILE_KEPT_DAYS, KEY_PREFIX
    from cdp_pipelines.resources.object_store import ObjectStoreResource

    store = ObjectStoreResource().open()
    try:
        return store.ensure_expiry_rule(KEY_PREFIX, days=FILE_KEPT_DAYS).sentence()
    finally:
        store.close()

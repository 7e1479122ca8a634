"""All index migrations, in order. A landed one is never changed; the next number changes what it made.

Partial indexes have a single field here: SecantusDB, the embedded server, answers a query on part of the key of a
compound partial index with nothing, and every index must be right on both servers.
"""

from typing import Final

from cdp_pipelines.stores.migrations.spec import Index, Migration, ttl

_COMPANY: Final = ("company_sso_id", 1)


def _of_entities(collection: str, instant: str, *references: str) -> list[Index]:
    """What reading one kind of entity goes by: its default order, its last change, its id, and who refers to it."""
    return [
        Index(collection, "idx_company_object_id", [_COMPANY, ("_id", 1)]),
        # With `_id`, so that whether anything has changed is known from the index alone.
        Index(collection, f"idx_company_{instant}", [_COMPANY, (instant, 1), ("_id", 1)]),
        Index(collection, "idx_company_id", [_COMPANY, ("id", 1)]),
        *(Index(collection, f"idx_company_{reference}", [_COMPANY, (reference, 1)]) for reference in references),
    ]


_UNIQ_JOB_ID: Final = Index(
    "bulk_upload_jobs",
    "uniq_job_id",
    [("job_id", 1)],
    {"unique": True, "partialFilterExpression": {"job_id": {"$type": "string"}}},
)

MIGRATIONS: Final = (
    Migration(
        1,
        "contacts_and_fields",
        [
            Index("contacts", "idx_company_created_at", [_COMPANY, ("created_at", -1), ("_id", 1)]),
            Index("contacts", "idx_company_updated_at", [_COMPANY, ("updated_at", -1), ("_id", 1)]),
            Index("contacts", "idx_company_source", [_COMPANY, ("source", 1)]),
            Index("layouts", "idx_company_default", [_COMPANY, ("is_default", 1)]),
            Index("field_properties", "idx_company_layout", [_COMPANY, ("layout_id", 1), ("position", 1)]),
        ],
    ),
    Migration(
        2,
        "export_queue",
        [
            Index("bulk_upload_jobs", "idx_company_job_type", [_COMPANY, ("job_type", 1), ("created_at", -1)]),
            Index("bulk_upload_jobs", "idx_job_type_status", [("job_type", 1), ("status", 1), ("created_at", 1)]),
            Index("bulk_upload_jobs", "idx_job_type_job_id", [("job_type", 1), ("job_id", 1)]),
            _UNIQ_JOB_ID,
            Index("bulk_upload_jobs", "idx_cleanup_pending", [("cleanup_pending", 1)], {"sparse": True}),
            # Imports share this collection and are not ours to remove.
            ttl("bulk_upload_jobs", only={"job_type": "export"}),
        ],
    ),
    Migration(
        3,
        "export_records",
        [
            ttl("deliveries"),
            Index("deliveries", "idx_channel_state", [("channel", 1), ("state", 1), ("at", 1)]),
            ttl("export_audit"),
            Index("export_audit", "idx_company_at", [_COMPANY, ("at", -1)]),
            ttl("export_history"),
            Index("export_history", "idx_company_date", [_COMPANY, ("date", -1)]),
            ttl("migration_failures"),
            Index("migration_failures", "idx_job", [("job_id", 1), ("_id", 1)]),
            ttl("alert_causes"),
            ttl("rate_limits"),
        ],
    ),
    Migration(
        4,
        "activity_log_migration",
        [
            Index(
                "activity_logs",
                "uniq_company_external_id",
                [_COMPANY, ("external_id", 1)],
                {"unique": True, "partialFilterExpression": {"external_id": {"$exists": True}}},
            ),
            # Timelines are read by it, and enrichment finds the live feed's documents by it.
            Index("activity_logs", "idx_company_customer_timestamp", [_COMPANY, ("customer_id", 1), ("timestamp", 1)]),
            Index("contacts", "idx_company_crm_data_id", [_COMPANY, ("crm_data.id", 1)]),
            Index("crm_activity_log_migration_jobs", "idx_company_sso_id", [_COMPANY, ("created_at", -1)]),
            Index(
                "crm_activity_log_migration_jobs",
                "idx_company_status",
                [_COMPANY],
                {"unique": True, "partialFilterExpression": {"status": "in_progress"}},
            ),
            Index("migration_requests", "idx_status", [("status", 1), ("created_at", 1)]),
            Index("migration_requests", "idx_company", [_COMPANY, ("created_at", -1)]),
        ],
    ),
    Migration(
        5,
        "contact_notes_migration",
        [
            Index(
                "contact_notes",
                "uq_contact_notes_company_legacy_crm_note_id",
                [_COMPANY, ("legacy_crm_note_id", 1)],
                {"unique": True, "partialFilterExpression": {"legacy_crm_note_id": {"$exists": True}}},
            ),
            # A contact's notes are read by it, newest first.
            Index("contact_notes", "idx_company_contact_created_at", [_COMPANY, ("contact_id", 1), ("created_at", -1)]),
            Index("crm_notes_migration_jobs", "idx_company_sso_id", [_COMPANY, ("created_at", -1)]),
            Index(
                "crm_notes_migration_jobs",
                "idx_company_status",
                [_COMPANY],
                {"unique": True, "partialFilterExpression": {"status": "in_progress"}},
            ),
            ttl("crm_notes_migration_jobs"),
            # A company's failed files, whichever of its jobs met them.
            Index("migration_failures", "idx_company_parts", [_COMPANY], {"partialFilterExpression": {"part": True}}),
        ],
    ),
    Migration(
        6,
        "entity_exports",
        [
            Index(
                "exports",
                "uniq_id",
                [("id", 1)],
                {"unique": True, "partialFilterExpression": {"id": {"$type": "string"}}},
            ),
            Index("exports", "idx_status", [("status", 1), ("created_at", 1)]),
            Index("exports", "idx_company", [_COMPANY, ("created_at", -1)]),
            Index("exports", "idx_cleanup_pending", [("cleanup_pending", 1)], {"sparse": True}),
            Index("exports", "idx_notices_pending", [("notices_pending", 1)], {"sparse": True}),
            Index("exports", "idx_files_expire_at", [("files_expire_at", 1)], {"sparse": True}),
            Index("exports", "idx_company_cache_key", [_COMPANY, ("cache.key", 1)]),
            ttl("exports"),
            *_of_entities("vouchers", "updated_at", "holder_id", "campaign_id"),
            Index("campaigns", "idx_company_id", [_COMPANY, ("id", 1)]),
            *_of_entities("orders", "updated_at", "customer_id"),
            *_of_entities("redemptions", "created_at", "customer_id"),
            *_of_entities("publications", "created_at", "customer_id", "voucher_code"),
            *_of_entities("customers", "updated_at", "referrer_id"),
            *_of_entities("products", "updated_at"),
            *_of_entities("skus", "updated_at"),
            *_of_entities("points_expirations", "updated_at"),
            *_of_entities("voucher_transactions", "created_at"),
            Index("export_templates", "uniq_company_name", [_COMPANY, ("name", 1)], {"unique": True}),
            Index("export_schedules", "uniq_company_name", [_COMPANY, ("name", 1)], {"unique": True}),
            Index("export_schedules", "idx_next_run_at", [("next_run_at", 1)]),
        ],
    ),
    Migration(
        7,
        "request_intake",
        [
            ttl("request_intake"),
            Index("request_intake", "idx_ref", [("ref", 1)]),
            # Imports share the collection, and what they call their jobs is none of our business.
            Index(
                "bulk_upload_jobs",
                "uniq_export_job_id",
                [("job_id", 1)],
                {"unique": True, "partialFilterExpression": {"job_type": "export", "job_id": {"$type": "string"}}},
            ),
        ],
        replaced=[_UNIQ_JOB_ID],
    ),
    Migration(
        8,
        "entity_places",
        [
            # Every place of a name has an index of its own where others are found by it.
            Index("vouchers", "idx_company_customer_id", [_COMPANY, ("customer_id", 1)]),
            Index("publications", "idx_company_code", [_COMPANY, ("code", 1)]),
            # Whether anything has changed is read from these alone; `created_at` does not tell.
            *(
                Index(collection, "idx_company_updated_at", [_COMPANY, ("updated_at", 1), ("_id", 1)])
                for collection in ("campaigns", "redemptions", "publications", "voucher_transactions")
            ),
        ],
    ),
)

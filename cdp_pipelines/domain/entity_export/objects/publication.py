"""Publications: a voucher given to a customer."""

from typing import Final

from cdp_pipelines.domain.entity_export.entities import Entity, Field, Filter, Join

PUBLICATION: Final = Entity(
    name="publication",
    plural="publications",
    collection="publications",
    fields=(
        # The public contract's default `code` is missing from its own list; the seed has both names for one thing.
        Field("code", paths=("voucher_code",)),
        Field("voucher_code", paths=("code",)),
        Field("campaign"),
        Field("customer_id"),
        Field("customer_source_id", paths=("@customer.source_id",)),
        Field("date", "instant", ("created_at",)),
        Field("channel"),
        Field("is_winner", "boolean"),
        Field("metadata", "json"),
    ),
    default_fields=("code", "customer_id", "date", "channel"),
    order_keys=("id", "tracking_id", "created_at"),
    filters=(
        Filter("id"),
        Filter("tracking_id"),
        Filter("created_at", "instant", ("created_at", "date")),
        Filter("campaign_name", paths=("campaign",)),
        Filter("customer", paths=("customer_id",)),
        Filter("voucher", paths=("voucher_code", "code")),
        Filter("voucher_type"),
        Filter("is_referral_code", "boolean"),
        Filter("failure_code"),
        Filter("result"),
        Filter("parent_object_id"),
        Filter("related_object_id"),
        Filter("source_id"),
    ),
    filter_prefixes=("metadata.",),
    joins={"customer": Join("customers", local=("customer_id",))},
    changed_at="created_at",
)

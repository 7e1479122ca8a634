"""Redemptions and their rollbacks, each a row of its own."""

from typing import Final

from cdp_pipelines.domain.entity_export.entities import Entity, Field, Filter, Join

REDEMPTION: Final = Entity(
    name="redemption",
    plural="redemptions",
    collection="redemptions",
    fields=(
        Field("id"),
        Field("object"),
        Field("voucher_code"),
        Field("campaign"),
        Field("promotion_tier_id"),
        Field("tracking_id"),
        Field("customer_id"),
        Field("customer_source_id", paths=("@customer.source_id",)),
        Field("customer_name", paths=("@customer.name",)),
        Field("order_id"),
        Field("order_amount", "number"),
        Field("gift_amount", "number"),
        Field("loyalty_points", "number"),
        Field("result"),
        Field("failure_code"),
        Field("failure_message"),
        Field("date", "instant", ("created_at",)),
        Field("metadata", "json"),
    ),
    default_fields=("id", "object", "voucher_code", "customer_id", "date", "result"),
    order_keys=("created_at",),
    filters=(
        Filter("created_at", "instant", ("created_at", "date")),
        Filter("campaign_name", paths=("campaign",)),
        Filter("customer", paths=("customer_id",)),
        Filter("voucher", paths=("voucher_code",)),
        Filter("related_object"),
        Filter("related_object_id"),
        Filter("related_object_parent_id"),
        Filter("parent_redemption_id", paths=("parent_redemption_id", "redemption_id")),
        Filter("user_login"),
        Filter("status"),
    ),
    filter_prefixes=("metadata.",),
    joins={"customer": Join("customers", local=("customer_id",))},
    changed_at="created_at",
)

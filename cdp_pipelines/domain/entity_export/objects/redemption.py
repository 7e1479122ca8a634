"""Redemptions and their rollbacks, each a row of its own."""

from typing import Final

from cdp_pipelines.domain.entity_export.entities import Entity, Field, Filter, Join

VOUCHER_CODE: Final = Field("voucher_code")
CUSTOMER_ID: Final = Field("customer_id")
CAMPAIGN: Final = Field("campaign")

REDEMPTION: Final = Entity(
    name="redemption",
    plural="redemptions",
    collection="redemptions",
    fields=(
        Field("id"),
        Field("object"),
        VOUCHER_CODE,
        CAMPAIGN,
        Field("promotion_tier_id"),
        Field("tracking_id"),
        CUSTOMER_ID,
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
        Filter.of("campaign_name", CAMPAIGN),
        Filter.of("customer", CUSTOMER_ID),
        Filter.of("voucher", VOUCHER_CODE),
        Filter("related_object"),
        Filter("related_object_id"),
        Filter("related_object_parent_id"),
        Filter("parent_redemption_id", paths=("parent_redemption_id", "redemption_id")),
        Filter("user_login"),
        Filter("status"),
    ),
    filter_prefixes=("metadata.",),
    joins={"customer": Join("customers", local=CUSTOMER_ID.places)},
)

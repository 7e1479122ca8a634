"""Publications: a voucher given to a customer."""

from typing import Final

from cdp_pipelines.domain.entity_export.entities import Entity, Field, Filter, Join

VOUCHER_CODE: Final = Field("voucher_code", paths=("code",))
CUSTOMER_ID: Final = Field("customer_id")
CAMPAIGN: Final = Field("campaign")
CREATED_AT: Final = Filter("created_at", "instant", ("created_at", "date"))

PUBLICATION: Final = Entity(
    name="publication",
    plural="publications",
    collection="publications",
    fields=(
        # The public contract's default `code` is missing from its own list; the seed has both names for one thing.
        Field("code", paths=("voucher_code",)),
        VOUCHER_CODE,
        CAMPAIGN,
        CUSTOMER_ID,
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
        CREATED_AT,
        Filter.of("campaign_name", CAMPAIGN),
        Filter.of("customer", CUSTOMER_ID),
        Filter.of("voucher", VOUCHER_CODE),
        Filter("voucher_type"),
        Filter("is_referral_code", "boolean"),
        Filter("failure_code"),
        Filter("result"),
        Filter("parent_object_id"),
        Filter("related_object_id"),
        Filter("source_id"),
    ),
    filter_prefixes=("metadata.",),
    joins={"customer": Join("customers", local=CUSTOMER_ID.places)},
)

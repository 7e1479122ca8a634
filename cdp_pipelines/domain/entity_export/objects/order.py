"""Orders. Amounts are integers in minor units, written as they are stored."""

from typing import Final

from cdp_pipelines.domain.entity_export.entities import Entity, Field

CUSTOMER_ID: Final = Field("customer_id")
CREATED_AT: Final = Field("created_at", "instant")
AMOUNT: Final = Field("amount", "number")
TOTAL_AMOUNT: Final = Field("total_amount", "number")

ORDER: Final = Entity(
    name="order",
    plural="orders",
    collection="orders",
    fields=(
        Field("id"),
        Field("source_id"),
        Field("status"),
        AMOUNT,
        Field("discount_amount", "number"),
        Field("items_discount_amount", "number"),
        Field("total_discount_amount", "number"),
        TOTAL_AMOUNT,
        CREATED_AT,
        Field("updated_at", "instant"),
        CUSTOMER_ID,
        Field("referrer_id"),
        Field("metadata", "json"),
    ),
    default_fields=("id", "source_id", "status"),
    order_keys=(),
    filter_prefixes=("metadata.",),
)

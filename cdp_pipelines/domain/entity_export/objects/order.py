"""Orders. Amounts are integers in minor units, written as they are stored."""

from typing import Final

from cdp_pipelines.domain.entity_export.entities import Entity, Field

ORDER: Final = Entity(
    name="order",
    plural="orders",
    collection="orders",
    fields=(
        Field("id"),
        Field("source_id"),
        Field("status"),
        Field("amount", "number"),
        Field("discount_amount", "number"),
        Field("items_discount_amount", "number"),
        Field("total_discount_amount", "number"),
        Field("total_amount", "number"),
        Field("created_at", "instant"),
        Field("updated_at", "instant"),
        Field("customer_id"),
        Field("referrer_id"),
        Field("metadata", "json"),
    ),
    default_fields=("id", "source_id", "status"),
    order_keys=(),
    filter_prefixes=("metadata.",),
)

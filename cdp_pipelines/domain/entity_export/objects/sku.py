"""SKUs: what can be bought of a product."""

from typing import Final

from cdp_pipelines.domain.entity_export.entities import Entity, Field

SKU: Final = Entity(
    name="sku",
    plural="skus",
    collection="skus",
    fields=(
        Field("id"),
        Field("sku"),
        Field("product_id"),
        Field("source_id"),
        Field("currency"),
        Field("price", "number"),
        Field("image_url"),
        Field("attributes", "json"),
        Field("created_at", "instant"),
        Field("updated_at", "instant"),
        Field("metadata", "json"),
    ),
    default_fields=(
        "id",
        "sku",
        "product_id",
        "currency",
        "price",
        "image_url",
        "source_id",
        "attributes",
        "created_at",
    ),
    order_keys=(),
    filter_prefixes=("metadata.",),
)

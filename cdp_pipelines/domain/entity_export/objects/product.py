"""Products."""

from typing import Final

from cdp_pipelines.domain.entity_export.entities import Entity, Field

PRODUCT: Final = Entity(
    name="product",
    plural="products",
    collection="products",
    fields=(
        Field("id"),
        Field("source_id"),
        Field("name"),
        Field("price", "number"),
        Field("image_url"),
        Field("attributes", "json"),
        Field("created_at", "instant"),
        Field("updated_at", "instant"),
        Field("metadata", "json"),
    ),
    default_fields=("id", "name", "price", "image_url", "source_id", "attributes", "created_at"),
    order_keys=(),
    filter_prefixes=("metadata.",),
)

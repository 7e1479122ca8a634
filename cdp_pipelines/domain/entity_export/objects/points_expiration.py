"""Points that expire: a bucket of a loyalty card's points and the day it ends."""

from typing import Final

from cdp_pipelines.domain.entity_export.entities import Entity, Field

POINTS_EXPIRATION: Final = Entity(
    name="points_expiration",
    plural="points_expirations",
    collection="points_expirations",
    fields=(
        Field("id"),
        Field("campaign_id"),
        Field("voucher_id"),
        Field("status"),
        Field("expires_at", "instant"),
        Field("points", "number"),
    ),
    default_fields=("id", "campaign_id", "voucher_id", "status", "expires_at", "points"),
    order_keys=(),
    has_metadata=False,
)

"""Transactions of gift cards and loyalty cards."""

from typing import Final

from cdp_pipelines.domain.entity_export.entities import Entity, Field

VOUCHER_TRANSACTIONS: Final = Entity(
    name="voucher_transactions",
    plural="voucher_transactions",
    collection="voucher_transactions",
    fields=(
        Field("id"),
        Field("source_id"),
        Field("voucher_id"),
        Field("campaign_id"),
        Field("type"),
        # A default of the public contract that its own list lacks.
        Field("status"),
        Field("reason"),
        Field("source"),
        Field("balance", "number"),
        Field("amount", "number"),
        Field("related_transaction_id"),
        Field("created_at", "instant"),
        Field("details", "json"),
    ),
    default_fields=("id", "type", "source_id", "status", "reason", "source", "balance", "amount", "created_at"),
    order_keys=(),
    has_metadata=False,
)

"""The fields of the nine objects as the seed lists them, written down a second time.

The demo asks for all of them by these lists, not by the exports' own catalogue, so that a field lost there is seen.
"""

from collections.abc import Mapping
from typing import Final

SEED_FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "voucher": (
        "id", "code", "campaign", "campaign_id", "category", "category_id", "voucher_type", "value", "discount_type",
        "discount_amount_limit", "discount_unit_type", "discount_unit_effect", "gift_balance", "loyalty_balance",
        "redemption_quantity", "redemption_count", "start_date", "expiration_date", "created_at", "updated_at",
        "validity_timeframe_interval", "validity_timeframe_duration", "validity_day_of_week", "active",
        "is_referral_code", "qr_code", "bar_code", "customer_id", "customer_source_id", "metadata", "additional_info",
    ),
    "order": (
        "id", "source_id", "status", "amount", "discount_amount", "items_discount_amount", "total_discount_amount",
        "total_amount", "created_at", "updated_at", "customer_id", "referrer_id", "metadata",
    ),
    "redemption": (
        "id", "object", "voucher_code", "campaign", "promotion_tier_id", "tracking_id", "customer_id",
        "customer_source_id", "customer_name", "order_amount", "gift_amount", "loyalty_points", "result",
        "failure_code", "failure_message", "date", "metadata",
    ),
    "publication": (
        "voucher_code", "code", "campaign", "customer_id", "customer_source_id", "date", "channel", "is_winner",
        "metadata",
    ),
    "customer": (
        "id", "source_id", "name", "email", "description", "phone", "address_city", "address_state", "address_line_1",
        "address_line_2", "address_country", "address_postal_code", "created_at", "updated_at", "birthday",
        "birthdate", "redemptions_total_redeemed", "redemptions_total_failed", "redemptions_total_succeeded",
        "redemptions_total_rolled_back", "redemptions_total_rollback_failed", "redemptions_total_rollback_succeeded",
        "orders_total_amount", "orders_total_count", "orders_average_amount", "orders_last_order_amount",
        "orders_last_order_date", "loyalty_points", "loyalty_referred_customers", "metadata",
    ),
    "product": (
        "id", "source_id", "name", "price", "image_url", "attributes", "created_at", "updated_at", "metadata",
    ),
    "sku": (
        "id", "sku", "product_id", "source_id", "currency", "price", "image_url", "attributes", "created_at",
        "updated_at", "metadata",
    ),
    "points_expiration": ("id", "campaign_id", "voucher_id", "status", "expires_at", "points"),
    "voucher_transactions": (
        "id", "source_id", "voucher_id", "campaign_id", "type", "status", "reason", "balance", "amount", "source",
        "related_transaction_id", "created_at", "details",
    ),
}  # fmt: skip

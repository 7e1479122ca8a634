"""One document of each object with every field set, what belongs to it, and how each field reads in a CSV file.

Written out by hand from the seed's lists: what a description loses or mixes up shows here.
"""

from datetime import UTC, datetime
from typing import Any

Document = dict[str, Any]

AT = datetime(2024, 5, 1, 3, 0, tzinfo=UTC)
AT_TEXT = "2024-05-01T10:00:00+07:00"
LATER = datetime(2024, 6, 2, 4, 30, 15, 250_000, tzinfo=UTC)
LATER_TEXT = "2024-06-02T11:30:15.250+07:00"

CUSTOMER: Document = {
    "id": "cust_1", "source_id": "crm-77", "name": "Ani Wijaya", "email": "ani@example.com", "description": "VIP, old",
    "phone": "+62 812 345", "birthdate": "1990-02-03", "referrer_id": None, "created_at": AT, "updated_at": LATER,
    "address": {"city": "Jakarta", "state": "DKI", "line_1": "Jl. Merdeka 1", "line_2": "Lt. 2", "country": "ID",
                "postal_code": "10110"},
    "metadata": {"tier": "gold", "n": 3},
}  # fmt: skip

SAMPLES: dict[str, tuple[dict[str, list[Document]], dict[str, str]]] = {
    "voucher": (
        {
            "campaigns": [{"id": "camp_1", "name": "Summer"}],
            "customers": [CUSTOMER],
            "vouchers": [
                {
                    "id": "v_1", "code": "SUMMER-1", "campaign_id": "camp_1", "category": "food",
                    "category_id": "cat_1", "type": "DISCOUNT_VOUCHER", "holder_id": "cust_1",
                    "discount": {"type": "AMOUNT", "amount_off": 1050, "amount_limit": 9900, "unit_type": "prod_1",
                                 "unit_effect": "ADD_NEW_ITEMS", "effect": "APPLY_TO_ORDER",
                                 "amount_off_formula": "MIN(1;2)"},
                    "gift": {"amount": 77, "balance": 55}, "loyalty_card": {"points": 12, "balance": 34},
                    "redemption": {"quantity": 5, "redeemed_quantity": 2}, "start_date": AT, "expiration_date": LATER,
                    "created_at": AT, "updated_at": LATER, "validity_day_of_week": [1, 2],
                    "validity_timeframe": {"interval": "P2D", "duration": "P1D"}, "active": True,
                    "is_referral_code": False, "assets": {"qr": {"url": "https://q"}, "bar": {"url": "https://b"}},
                    "validation_rules_id": "val_1", "metadata": {"tier": "gold"}, "additional_info": "by hand",
                }
            ],
        },
        {
            "id": "v_1", "code": "SUMMER-1", "campaign": "Summer", "campaign_id": "camp_1", "category": "food",
            "category_id": "cat_1", "voucher_type": "DISCOUNT_VOUCHER", "value": "1050", "formula": "MIN(1;2)",
            "discount_type": "AMOUNT", "discount_amount_limit": "9900", "discount_effect": "APPLY_TO_ORDER",
            "discount_unit_type": "prod_1", "discount_unit_effect": "ADD_NEW_ITEMS", "gift_balance": "55",
            "loyalty_balance": "34", "redemption_quantity": "5", "redemption_count": "2", "start_date": AT_TEXT,
            "expiration_date": LATER_TEXT, "created_at": AT_TEXT, "updated_at": LATER_TEXT,
            "validity_timeframe_interval": "P2D", "validity_timeframe_duration": "P1D", "validity_day_of_week": "[1,2]",
            "active": "true", "is_referral_code": "false", "qr_code": "https://q", "bar_code": "https://b",
            "customer_id": "cust_1", "customer_source_id": "crm-77", "validation_rules_id": "val_1",
            "metadata": '{"tier":"gold"}', "metadata.tier": "gold", "additional_info": "by hand",
        },
    ),
    "order": (
        {
            "orders": [
                {"id": "ord_1", "source_id": "shop-1", "status": "PAID", "amount": 10_000, "discount_amount": 100,
                 "items_discount_amount": 50, "total_discount_amount": 150, "total_amount": 9_850, "created_at": AT,
                 "updated_at": LATER, "customer_id": "cust_1", "referrer_id": "cust_2", "metadata": {"k": [1]}}
            ]
        },
        {
            "id": "ord_1", "source_id": "shop-1", "status": "PAID", "amount": "10000", "discount_amount": "100",
            "items_discount_amount": "50", "total_discount_amount": "150", "total_amount": "9850",
            "created_at": AT_TEXT, "updated_at": LATER_TEXT, "customer_id": "cust_1", "referrer_id": "cust_2",
            "metadata": '{"k":[1]}', "metadata.k": "[1]",
        },
    ),
    "redemption": (
        {
            "customers": [CUSTOMER],
            "redemptions": [
                {"id": "r_1", "object": "redemption", "date": AT, "voucher_code": "SUMMER-1", "campaign": "Summer",
                 "promotion_tier_id": "promo_1", "tracking_id": "track_1", "customer_id": "cust_1",
                 "order_id": "ord_1", "order_amount": 500, "gift_amount": 20, "loyalty_points": 7,
                 "result": "FAILURE", "failure_code": "voucher_expired", "failure_message": "It has ended",
                 "metadata": {"a": {"b": 1}}, "created_at": LATER}
            ],
        },
        {
            "id": "r_1", "object": "redemption", "date": AT_TEXT, "voucher_code": "SUMMER-1", "campaign": "Summer",
            "promotion_tier_id": "promo_1", "tracking_id": "track_1", "customer_id": "cust_1",
            "customer_source_id": "crm-77", "customer_name": "Ani Wijaya", "order_id": "ord_1", "order_amount": "500",
            "gift_amount": "20", "loyalty_points": "7", "result": "FAILURE", "failure_code": "voucher_expired",
            "failure_message": "It has ended", "metadata": '{"a":{"b":1}}', "metadata.a": '{"b":1}',
        },
    ),
    "publication": (
        {
            "customers": [CUSTOMER],
            "publications": [
                {"id": "pub_1", "voucher_code": "SUMMER-1", "campaign": "Summer", "customer_id": "cust_1", "date": AT,
                 "channel": "API", "is_winner": True, "metadata": {"x": None}, "created_at": LATER}
            ],
        },
        {
            "code": "SUMMER-1", "voucher_code": "SUMMER-1", "campaign": "Summer", "customer_id": "cust_1",
            "customer_source_id": "crm-77", "date": AT_TEXT, "channel": "API", "is_winner": "true",
            "metadata": '{"x":null}', "metadata.x": "",
        },
    ),
    "customer": (
        {
            "customers": [CUSTOMER],
            "orders": [
                {"id": "o1", "customer_id": "cust_1", "amount": 1_000, "total_amount": 900, "created_at": AT},
                {"id": "o2", "customer_id": "cust_1", "amount": 500, "created_at": LATER},
                {"id": "o3", "customer_id": "cust_2", "amount": 1, "created_at": LATER},
            ],
            "redemptions": [
                *({"object": "redemption", "result": "SUCCESS", "customer_id": "cust_1"} for _ in range(4)),
                *({"object": "redemption", "result": "FAILURE", "customer_id": "cust_1"} for _ in range(3)),
                *({"object": "redemption_rollback", "result": "SUCCESS", "customer_id": "cust_1"} for _ in range(2)),
                {"object": "redemption_rollback", "result": "FAILURE", "customer_id": "cust_1"},
            ],
            "vouchers": [
                {"code": "L1", "type": "LOYALTY_CARD", "holder_id": "cust_1", "loyalty_card": {"balance": 30}},
                {"code": "L2", "type": "LOYALTY_CARD", "holder_id": "cust_1", "loyalty_card": {"balance": 12}},
                {"code": "D1", "type": "DISCOUNT_VOUCHER", "holder_id": "cust_1"},
            ],
        },
        {
            "id": "cust_1", "source_id": "crm-77", "name": "Ani Wijaya", "email": "ani@example.com",
            # A phone number would lose its plus in a spreadsheet that reads it as a number.
            "description": "VIP, old", "phone": "'+62 812 345", "address_city": "Jakarta", "address_state": "DKI",
            "address_line_1": "Jl. Merdeka 1", "address_line_2": "Lt. 2", "address_country": "ID",
            "address_postal_code": "10110", "created_at": AT_TEXT, "updated_at": LATER_TEXT,
            "birthday": "1990-02-03", "birthdate": "1990-02-03", "redemptions_total_redeemed": "7",
            "redemptions_total_failed": "3", "redemptions_total_succeeded": "4", "redemptions_total_rolled_back": "3",
            "redemptions_total_rollback_failed": "1", "redemptions_total_rollback_succeeded": "2",
            "orders_total_amount": "1400", "orders_total_count": "2", "orders_average_amount": "700",
            "orders_last_order_amount": "500", "orders_last_order_date": LATER_TEXT, "loyalty_points": "42",
            "loyalty_referred_customers": "0", "metadata": '{"tier":"gold","n":3}', "metadata.n": "3",
        },
    ),
    "product": (
        {
            "products": [
                {"id": "prod_1", "source_id": "p-1", "name": "Kopi", "price": 2_500, "image_url": "https://i",
                 "attributes": ["size", "color"], "created_at": AT, "updated_at": LATER, "metadata": {"m": True}}
            ]
        },
        {
            "id": "prod_1", "source_id": "p-1", "name": "Kopi", "price": "2500", "image_url": "https://i",
            "attributes": '["size","color"]', "created_at": AT_TEXT, "updated_at": LATER_TEXT, "metadata": '{"m":true}',
            "metadata.m": "true",
        },
    ),
    "sku": (
        {
            "skus": [
                {"id": "sku_1", "source_id": "s-1", "sku": "Kopi 250 g", "product_id": "prod_1", "currency": "IDR",
                 "price": 2_600, "image_url": "https://i", "attributes": {"size": "250"}, "created_at": AT,
                 "updated_at": LATER, "metadata": {"m": 1.5}}
            ]
        },
        {
            "id": "sku_1", "source_id": "s-1", "sku": "Kopi 250 g", "product_id": "prod_1", "currency": "IDR",
            "price": "2600", "image_url": "https://i", "attributes": '{"size":"250"}', "created_at": AT_TEXT,
            "updated_at": LATER_TEXT, "metadata": '{"m":1.5}', "metadata.m": "1.5",
        },
    ),
    "points_expiration": (
        {
            "points_expirations": [
                {"id": "lopb_1", "campaign_id": "camp_1", "voucher_id": "v_1", "status": "ACTIVE", "expires_at": LATER,
                 "points": 100, "created_at": AT}
            ]
        },
        {
            "id": "lopb_1", "campaign_id": "camp_1", "voucher_id": "v_1", "status": "ACTIVE", "expires_at": LATER_TEXT,
            "points": "100",
        },
    ),
    "voucher_transactions": (
        {
            "voucher_transactions": [
                {"id": "vtx_1", "source_id": "src", "voucher_id": "v_1", "campaign_id": "camp_1",
                 "type": "POINTS_ADDITION", "status": "COMPLETED", "reason": "Thanks", "source": "API", "balance": 150,
                 "amount": -50, "related_transaction_id": "vtx_0", "created_at": AT, "details": {"balance": {"n": 1}}}
            ]
        },
        {
            "id": "vtx_1", "source_id": "src", "voucher_id": "v_1", "campaign_id": "camp_1", "type": "POINTS_ADDITION",
            "status": "COMPLETED", "reason": "Thanks", "source": "API", "balance": "150", "amount": "-50",
            "related_transaction_id": "vtx_0", "created_at": AT_TEXT, "details": '{"balance":{"n":1}}',
        },
    ),
}  # fmt: skip

"""Vouchers: discounts, gift cards and loyalty cards."""

from typing import Final

from cdp_pipelines.domain.entity_export.entities import Entity, Field, Filter, Join, Related
from cdp_pipelines.domain.entity_export.objects import publication

CODE: Final = Field("code")
CAMPAIGN: Final = Field("campaign", paths=("@campaign.name",))
CAMPAIGN_ID: Final = Field("campaign_id")
CATEGORY: Final = Field("category")
CATEGORY_ID: Final = Field("category_id")
LOYALTY_BALANCE: Final = Field("loyalty_balance", "number", ("loyalty_card.balance",))
CREATED_AT: Final = Field("created_at", "instant")
TIMEFRAME_INTERVAL: Final = Field("validity_timeframe_interval", paths=("validity_timeframe.interval",))
CUSTOMER_ID: Final = Field("customer_id", paths=("holder_id",))

VOUCHER: Final = Entity(
    name="voucher",
    plural="vouchers",
    collection="vouchers",
    fields=(
        Field("id"),
        CODE,
        CAMPAIGN,
        CAMPAIGN_ID,
        CATEGORY,
        CATEGORY_ID,
        Field("voucher_type", paths=("type",)),
        # What a voucher is worth stands in the part of its kind: money, percent or units off, an amount, points.
        Field(
            "value",
            "number",
            (
                "discount.amount_off",
                "discount.percent_off",
                "discount.unit_off",
                "discount.fixed_amount",
                "gift.amount",
                "loyalty_card.points",
            ),
        ),
        Field(
            "formula",
            paths=(
                "discount.amount_off_formula",
                "discount.percent_off_formula",
                "discount.unit_off_formula",
                "discount.fixed_amount_formula",
            ),
        ),
        Field("discount_type", paths=("discount.type",)),
        Field("discount_amount_limit", "number", ("discount.amount_limit",)),
        Field("discount_effect", paths=("discount.effect",)),
        Field("discount_unit_type", paths=("discount.unit_type",)),
        Field("discount_unit_effect", paths=("discount.unit_effect", "discount.effect")),
        Field("gift_balance", "number", ("gift.balance",)),
        LOYALTY_BALANCE,
        Field("redemption_quantity", "number", ("redemption.quantity",)),
        Field("redemption_count", "number", ("redemption.redeemed_quantity",)),
        Field("start_date", "instant"),
        Field("expiration_date", "instant"),
        CREATED_AT,
        Field("updated_at", "instant"),
        TIMEFRAME_INTERVAL,
        Field("validity_timeframe_duration", paths=("validity_timeframe.duration",)),
        Field("validity_day_of_week", "json"),
        Field("active", "boolean"),
        Field("is_referral_code", "boolean"),
        Field("qr_code", paths=("assets.qr.url",)),
        Field("bar_code", paths=("assets.bar.url", "assets.barcode.url")),
        CUSTOMER_ID,
        Field("customer_source_id", paths=("@customer.source_id",)),
        Field("validation_rules_id"),
        Field("metadata", "json"),
        Field("additional_info"),
    ),
    default_fields=("code", "voucher_type", "value", "discount_type"),
    order_keys=(),
    filters=(
        Filter.of("created_date", CREATED_AT),
        Filter.of("categories", CATEGORY),
        Filter.of("category_ids", CATEGORY_ID),
        Filter.of("campaign", CAMPAIGN),
        Filter.of("campaign_ids", CAMPAIGN_ID),
        Filter.of("vouchers", CODE),
        Filter.of("holder_id", CUSTOMER_ID),
        Filter.of(
            "published_for_customer_id",
            publication.CUSTOMER_ID,
            related=Related("publications", publication.VOUCHER_CODE.places, "code"),
        ),
        Filter("redemption_status"),
        Filter.of("validity_timeframe", TIMEFRAME_INTERVAL),
    ),
    filter_prefixes=("metadata.", "redemption."),
    joins={
        "campaign": Join("campaigns", local=CAMPAIGN_ID.places),
        "customer": Join("customers", local=CUSTOMER_ID.places),
    },
    campaign_filter=True,
)

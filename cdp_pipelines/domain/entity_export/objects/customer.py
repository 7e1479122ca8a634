"""Customers, with figures over their redemptions, orders and loyalty cards."""

from typing import Final

from cdp_pipelines.domain.entity_export.entities import Aggregate, Entity, Field, Filter, Measure, Related
from cdp_pipelines.domain.entity_export.objects import order, publication, redemption, voucher

_REDEEMED: Final = ("object", "redemption")
_ROLLED_BACK: Final = ("object", "redemption_rollback")
_SUCCEEDED: Final = ("result", "SUCCESS")
_FAILED: Final = ("result", "FAILURE")
_SPENT: Final = (*order.TOTAL_AMOUNT.places, *order.AMOUNT.places)
"""What an order comes to after its discounts; where that was not stored, before them."""

_PUBLICATIONS: Final = Related("publications", publication.CUSTOMER_ID.places, "id")
_REFERRER_ID: Final = Field("referrer_id")
_CITY: Final = Field("address_city", paths=("address.city",))

CUSTOMER: Final = Entity(
    name="customer",
    plural="customers",
    collection="customers",
    fields=(
        Field("id"),
        Field("source_id"),
        Field("name"),
        Field("email"),
        Field("description"),
        Field("phone"),
        _CITY,
        Field("address_state", paths=("address.state",)),
        Field("address_line_1", paths=("address.line_1",)),
        Field("address_line_2", paths=("address.line_2",)),
        Field("address_country", paths=("address.country",)),
        Field("address_postal_code", paths=("address.postal_code",)),
        Field("created_at", "instant"),
        Field("updated_at", "instant"),
        Field("birthday", "day", ("birthdate",)),
        Field("birthdate", "day", ("birthday",)),
        Field("redemptions_total_redeemed", "number", ("@redemptions.total_redeemed",), computed=True),
        Field("redemptions_total_failed", "number", ("@redemptions.total_failed",), computed=True),
        Field("redemptions_total_succeeded", "number", ("@redemptions.total_succeeded",), computed=True),
        Field("redemptions_total_rolled_back", "number", ("@redemptions.total_rolled_back",), computed=True),
        Field("redemptions_total_rollback_failed", "number", ("@redemptions.total_rollback_failed",), computed=True),
        Field(
            "redemptions_total_rollback_succeeded", "number", ("@redemptions.total_rollback_succeeded",), computed=True
        ),
        Field("orders_total_amount", "number", ("@orders.total_amount",), computed=True),
        Field("orders_total_count", "number", ("@orders.total_count",), computed=True),
        Field("orders_average_amount", "number", ("@orders.average_amount",), computed=True),
        Field("orders_last_order_amount", "number", ("@orders.last_order_amount",), computed=True),
        Field("orders_last_order_date", "instant", ("@orders.last_order_date",), computed=True),
        Field("loyalty_points", "number", ("@loyalty.points",), computed=True),
        Field("loyalty_referred_customers", "number", ("@referrals.referred_customers",), computed=True),
        Field("metadata", "json"),
    ),
    default_fields=("name", "source_id"),
    order_keys=(),
    filters=(
        Filter.of("city", _CITY),
        Filter("publications.created_at", "instant", publication.CREATED_AT.places, related=_PUBLICATIONS),
        Filter("publications.related_object_id", related=_PUBLICATIONS, paths=("related_object_id",)),
    ),
    filter_prefixes=(
        "metadata.",
        "address.",
        "summary.",
        "loyalty.",
        "loyalty_tier.",
        "loyalty_points.",
        "system_metadata.",
    ),
    aggregates={
        "redemptions": Aggregate(
            "redemptions",
            by=redemption.CUSTOMER_ID.places,
            measures=(
                Measure("total_redeemed", "count", where=(_REDEEMED,)),
                Measure("total_failed", "count", where=(_REDEEMED, _FAILED)),
                Measure("total_succeeded", "count", where=(_REDEEMED, _SUCCEEDED)),
                Measure("total_rolled_back", "count", where=(_ROLLED_BACK,)),
                Measure("total_rollback_failed", "count", where=(_ROLLED_BACK, _FAILED)),
                Measure("total_rollback_succeeded", "count", where=(_ROLLED_BACK, _SUCCEEDED)),
            ),
        ),
        "orders": Aggregate(
            "orders",
            by=order.CUSTOMER_ID.places,
            measures=(
                Measure("total_amount", "sum", _SPENT),
                Measure("total_count", "count"),
                Measure("average_amount", "average", _SPENT),
                Measure("last_order_amount", "latest", _SPENT),
                Measure("last_order_date", "latest"),
            ),
        ),
        "loyalty": Aggregate(
            "vouchers",
            # Whoever holds a card is told from its own two names for them, as in its cell.
            by=voucher.CUSTOMER_ID.places,
            measures=(Measure("points", "sum", voucher.LOYALTY_BALANCE.places),),
        ),
        "referrals": Aggregate("customers", by=_REFERRER_ID.places, measures=(Measure("referred_customers", "count"),)),
    },
)

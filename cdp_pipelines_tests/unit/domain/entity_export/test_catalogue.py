"""The nine descriptions against the seed's lists, written out here, and against the public contract's file."""

import pytest

from cdp_pipelines.domain.entity_export.catalogue import ENTITIES
from cdp_pipelines.domain.entity_export.filter_values import OPERATORS
from cdp_pipelines.domain.entity_export.filters import filter_names
from cdp_pipelines.domain.entity_export.request import order_names
from cdp_pipelines_tests.unit.corpora import load_object

SEED_DEFAULTS = {
    "voucher": "code voucher_type value discount_type",
    "order": "id source_id status",
    "redemption": "id object voucher_code customer_id date result",
    "publication": "code customer_id date channel",
    "customer": "name source_id",
    "points_expiration": "id campaign_id voucher_id status expires_at points",
    "voucher_transactions": "id type source_id status reason source balance amount created_at",
    "product": "id name price image_url source_id attributes created_at",
    "sku": "id sku product_id currency price image_url source_id attributes created_at",
}
SEED_FIELDS = {
    "voucher": """id code campaign campaign_id category category_id voucher_type value discount_type
        discount_amount_limit discount_unit_type discount_unit_effect gift_balance loyalty_balance redemption_quantity
        redemption_count start_date expiration_date created_at updated_at validity_timeframe_interval
        validity_timeframe_duration validity_day_of_week active is_referral_code qr_code bar_code customer_id
        customer_source_id metadata additional_info""",
    "order": """id source_id status amount discount_amount items_discount_amount total_discount_amount total_amount
        created_at updated_at customer_id referrer_id metadata""",
    "redemption": """id object voucher_code campaign promotion_tier_id tracking_id customer_id customer_source_id
        customer_name order_amount gift_amount loyalty_points result failure_code failure_message date metadata""",
    "publication": "voucher_code code campaign customer_id customer_source_id date channel is_winner metadata",
    "customer": """id source_id name email description phone address_city address_state address_line_1 address_line_2
        address_country address_postal_code created_at updated_at birthday birthdate redemptions_total_redeemed
        redemptions_total_failed redemptions_total_succeeded redemptions_total_rolled_back
        redemptions_total_rollback_failed redemptions_total_rollback_succeeded orders_total_amount orders_total_count
        orders_average_amount orders_last_order_amount orders_last_order_date loyalty_points
        loyalty_referred_customers metadata""",
    "points_expiration": "id campaign_id voucher_id status expires_at points",
    "voucher_transactions": """id source_id voucher_id campaign_id type reason balance amount source
        related_transaction_id created_at details""",
    "product": "id source_id name price image_url attributes created_at updated_at metadata",
    "sku": "id sku product_id source_id currency price image_url attributes created_at updated_at metadata",
}
PLURALS = {
    "voucher": "vouchers",
    "order": "orders",
    "redemption": "redemptions",
    "publication": "publications",
    "customer": "customers",
    "product": "products",
    "sku": "skus",
    "points_expiration": "points_expirations",
    "voucher_transactions": "voucher_transactions",
}


def test_the_nine_objects_of_the_specification() -> None:
    assert {name: entity.plural for name, entity in ENTITIES.items()} == PLURALS
    assert {entity.collection for entity in ENTITIES.values()} == set(PLURALS.values())


@pytest.mark.parametrize("name", list(SEED_DEFAULTS))
def test_default_fields_are_the_seeds(name: str) -> None:
    assert list(ENTITIES[name].default_fields) == SEED_DEFAULTS[name].split()


@pytest.mark.parametrize("name", list(SEED_FIELDS))
def test_every_field_of_the_seed_can_be_asked_for(name: str) -> None:
    wanted = [*SEED_FIELDS[name].split(), *SEED_DEFAULTS[name].split()]
    assert [field for field in wanted if ENTITIES[name].field_named(field) is None] == []


@pytest.mark.parametrize("name", list(SEED_FIELDS))
def test_metadata_keys_can_be_asked_for_where_there_is_metadata(name: str) -> None:
    has = "metadata" in SEED_FIELDS[name].split()
    assert (ENTITIES[name].field_named("metadata.tier") is not None) == has
    assert ENTITIES[name].field_named("metadata.") is None


@pytest.mark.parametrize("name", list(SEED_FIELDS))
def test_a_description_is_consistent(name: str) -> None:
    entity = ENTITIES[name]
    names = [field.name for field in entity.fields]
    assert len(set(names)) == len(names)
    brought = {path[1:].split(".")[0] for field in entity.fields for path in field.places if path.startswith("@")}
    assert brought <= set(entity.joins) | set(entity.aggregates)
    assert set(entity.joins) | set(entity.aggregates) <= brought
    measures = {
        f"@{key}.{measure.name}" for key, aggregate in entity.aggregates.items() for measure in aggregate.measures
    }
    computed = {path for field in entity.fields if field.computed for path in field.places}
    assert computed == measures


def test_the_public_contracts_names_are_accepted() -> None:
    contract = load_object("voucherify_exports.json")["objects"]
    assert set(contract) == set(ENTITIES)
    for name, asked in contract.items():
        entity = ENTITIES[name]
        fields = asked["fields"] if isinstance(asked["fields"], list) else []
        assert [field for field in fields if entity.field_named(field) is None] == [], name
        assert list(entity.default_fields) == asked["default_fields"], name
        assert {key.removeprefix("-") for key in asked["order"] or []} <= set(order_names(entity)), name
        assert set(asked["filters"] or []) <= set(filter_names(entity)), name
        for prefix in (asked.get("dynamic_filter_prefixes") or "").split('"')[1::2]:
            assert prefix in entity.filter_prefixes, (name, prefix)


def test_the_public_contracts_operators_are_accepted() -> None:
    assert set(load_object("voucherify_exports.json")["operators"]) == set(OPERATORS)

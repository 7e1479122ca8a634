"""The demo's entity exports: `exports` documents (SPEC 4), each with the ending it must come to.

Belongs here: what the demo asks for, and how many rows it must get, counted in the generated documents without the
filters' own code. Not here: putting it in the queue, waiting, and showing the table (`cdp demo`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

from cdp_pipelines.local.demo_chinook import CHINOOK_COMPANY_SSO_ID
from cdp_pipelines.local.demo_commerce import commerce_documents
from cdp_pipelines.local.demo_commerce_chinook import chinook_commerce
from cdp_pipelines.local.demo_companies import BIG, EMPTY, MEDIUM, RHEINLAND, company_key
from cdp_pipelines.local.demo_export_fields import SEED_FIELDS
from cdp_pipelines.local.demo_export_specs import (
    DemoTemplate,
    EntityExportSpec,
    condition,
    count_rows,
    done,
    entity_export,
    metadata_value,
)

NOBODY_COMPANY_SSO_ID: Final = company_key("tidak-ada")
"""A company that there is not."""
FLAG_OFF_CODE: Final = "FLAG_DISABLED"
# Not on a border: prices are multiples of 500.
_MILLION: Final = 1_000_001
_NEW_YEAR: Final = datetime(2025, 1, 1, tzinfo=UTC)
_big = partial(done, company=BIG.company_sso_id)
# A company gets two runs at once, and the large one's are taken by its migrations for long.
_medium = partial(done, company=MEDIUM.company_sso_id)
_MAIL: Final = {"email": f"ops@{BIG.slug}.example"}
_Documents = Mapping[str, Sequence[dict[str, Any]]]


def demo_export_requests(
    *, now: datetime, scale: float = 1.0, chinook: Path | None = None, webhook_url: str | None = None
) -> list[EntityExportSpec]:
    """The demo's entity exports in the order to insert them, oldest `created_at` first and the last one at `now`.

    Each call makes fresh ids. The expected rows are those of the data that `load_commerce` brings at this scale, which
    is made for it once more (2 s at scale 1), and of Chinook if its file is given.

    Args:
        now: UTC-aware; the documents' timestamps lie within the second before it.
        scale: the scale that `load_commerce` was called with.
        chinook: the file that `load_chinook_commerce` was called with, None if it was not.
        webhook_url: where one of them tells of its end, None if none does.

    Raises:
        ConfigurationError: the Chinook file cannot be used (`CHINOOK_FILE_UNUSABLE`).
    """
    big, medium = commerce_documents(BIG, scale=scale), commerce_documents(MEDIUM, scale=scale)
    specs = [*_by_object(big, webhook_url), *_other_objects(medium), *_filtered(big, medium), _by_template(medium)]
    specs.append(_of_nothing())
    if chinook is not None:
        specs += _chinook(chinook_commerce(chinook))
    specs += _refused()
    specs.append(_canceled())
    specs.append(_repeated(specs[0]))
    for age, spec in enumerate(reversed(specs)):
        spec.document["created_at"] = spec.document["updated_at"] = now - timedelta(milliseconds=10 * age)
    return specs


def _by_object(big: _Documents, webhook_url: str | None) -> Iterator[EntityExportSpec]:
    """The objects of which there are most, whole, in different formats; the first is repeated at the end."""
    rows = {name: len(documents) for name, documents in big.items()}
    yield _big("Vouchers to CSV, the default fields", "voucher", rows["vouchers"], format="CSV")
    yield _big(
        "Customers to XLSX, every field and aggregate, Tokyo time, with a mail",
        "customer",
        rows["customers"],
        more={**_MAIL, "locale": "id", "channel": "WEBSITE"},
        format="XLSX",
        fields=list(SEED_FIELDS["customer"]),
        order="name",
        timezone="Asia/Tokyo",
    )
    yield _big(
        "Orders to JSON, every field, newest first, with a webhook",
        "order",
        rows["orders"],
        more={"webhook": {"url": webhook_url}} if webhook_url else None,
        format="JSON",
        fields=list(SEED_FIELDS["order"]),
        order="-created_at",
    )
    yield _big(
        "Redemptions to NDJSON, gzip",
        "redemption",
        rows["redemptions"],
        format="NDJSON",
        compression="gzip",
        fields=list(SEED_FIELDS["redemption"]),
    )
    yield replace(
        _big(
            "Publications to CSV, asked for by a schedule, with a mail",
            "publication",
            rows["publications"],
            more={**_MAIL, "locale": "en"},
            format="CSV",
            order="-voucher_code",
        ),
        schedule="Publications, every day",
    )
    yield _big(
        "Voucher transactions to XLSX, every field, newest first",
        "voucher_transactions",
        rows["voucher_transactions"],
        format="XLSX",
        fields=list(SEED_FIELDS["voucher_transactions"]),
        order="-created_at",
    )


def _other_objects(medium: _Documents) -> Iterator[EntityExportSpec]:
    """The other objects, of another company."""
    yield _medium(
        "Products to XLSX, every field and two keys of their metadata",
        "product",
        len(medium["products"]),
        format="XLSX",
        fields=[*SEED_FIELDS["product"], "metadata.channel", "metadata.名前"],
    )
    yield _medium("SKUs to JSON, the default fields", "sku", len(medium["skus"]), format="JSON")
    yield _medium(
        "Expirations of points to CSV, gzip",
        "points_expiration",
        len(medium["points_expirations"]),
        format="CSV",
        compression="gzip",
        order="expires_at",
    )


def _filtered(big: _Documents, medium: _Documents) -> Iterator[EntityExportSpec]:
    campaigns = [campaign["id"] for campaign in medium["campaigns"][:2]]
    yield _medium(
        "Vouchers of two campaigns to NDJSON, every field, by code",
        "voucher",
        count_rows(medium["vouchers"], lambda voucher: voucher.get("campaign_id") in campaigns),
        format="NDJSON",
        fields=list(SEED_FIELDS["voucher"]),
        campaign_ids=campaigns,
        order="code",
    )
    yield _big(
        "Paid orders of over a million since New Year, with a mail",
        "order",
        count_rows(
            big["orders"],
            lambda order: (
                order.get("status") in ("PAID", "FULFILLED")
                and order.get("amount", 0) > _MILLION
                and order["created_at"] > _NEW_YEAR
            ),
        ),
        more={**_MAIL, "locale": "en"},
        format="CSV",
        fields=["source_id", "status", "amount", "total_discount_amount", "total_amount", "customer_id", "created_at"],
        order="-total_amount",
        filters={
            "junction": "and",
            **condition("status", in_=["PAID", "FULFILLED"]),
            **condition("amount", more_than=[_MILLION]),
            **condition("created_at", after=["2025-01-01T00:00:00Z"]),
        },
    )
    yield _medium(
        "Redemptions that failed or were rolled back: either will do",
        "redemption",
        count_rows(
            medium["redemptions"],
            lambda entry: entry.get("result") == "FAILURE" or entry.get("object") == "redemption_rollback",
        ),
        format="XLSX",
        filters={
            "junction": "or",
            **condition("result", is_=["FAILURE"]),
            **condition("object", is_=["redemption_rollback"]),
        },
    )
    yield _medium(
        "Customers by two keys of their metadata",
        "customer",
        count_rows(
            medium["customers"],
            lambda customer: (
                metadata_value(customer, "channel") in ("whatsapp", "kasir") and metadata_value(customer, "vip") is True
            ),
        ),
        format="JSON",
        fields=["id", "name", "metadata.channel", "metadata.vip", "metadata"],
        filters={
            "junction": "and",
            **condition("metadata.channel", in_=["whatsapp", "kasir"]),
            **condition("metadata.vip", is_=[True]),
        },
    )
    yield _medium(
        "A filter that nothing passes: a header only",
        "voucher",
        0,
        format="CSV",
        filters={"junction": "and", **condition("code", is_=["TIDAK-ADA-KODE-INI"])},
    )


def _of_nothing() -> EntityExportSpec:
    return done("A company without orders: an empty array", "order", 0, company=EMPTY.company_sso_id, format="JSON")


def _by_template(medium: _Documents) -> EntityExportSpec:
    """Names the template, and of its own only the format."""
    template = DemoTemplate(
        "Gift and loyalty cards",
        "voucher",
        {
            "format": "CSV",
            "fields": [
                "code", "voucher_type", "value", "gift_balance", "loyalty_balance", "customer_id", "customer_source_id",
            ],
            "filters": {"junction": "and", **condition("voucher_type", in_=["GIFT_VOUCHER", "LOYALTY_CARD"])},
            "order": "-updated_at",
        },
    )  # fmt: skip
    document = entity_export(
        MEDIUM.company_sso_id,
        None,
        {"format": "NDJSON"},
        template=template.name,
        email=f"ops@{MEDIUM.slug}.example",
        locale="en",
    )
    return EntityExportSpec(
        "Gift and loyalty cards, asked for by a template, with a mail",
        document,
        "DONE",
        expected_rows=count_rows(medium["vouchers"], lambda card: card.get("type") in ("GIFT_VOUCHER", "LOYALTY_CARD")),
        template=template,
    )


def _chinook(chinook: _Documents) -> Iterator[EntityExportSpec]:
    company = CHINOOK_COMPANY_SSO_ID
    yield done(
        "Chinook: customers with what they bought, to CSV",
        "customer",
        len(chinook["customers"]),
        company=company,
        format="CSV",
        fields=[
            "source_id", "name", "email", "address_city", "address_country", "orders_total_count",
            "orders_total_amount", "orders_average_amount", "orders_last_order_amount", "orders_last_order_date",
            "metadata.company",
        ],
        order="name",
    )  # fmt: skip
    yield done(
        "Chinook: invoices of Brazil and Germany, to CSV",
        "order",
        count_rows(chinook["orders"], lambda order: order["metadata"]["country"] in ("Brazil", "Germany")),
        company=company,
        format="CSV",
        fields=["source_id", "total_amount", "metadata.country", "metadata.lines"],
        filters={"junction": "and", **condition("metadata.country", in_=["Brazil", "Germany"])},
    )
    yield done(
        "Chinook: tracks to CSV, every field",
        "sku",
        len(chinook["skus"]),
        company=company,
        format="CSV",
        fields=list(SEED_FIELDS["sku"]),
    )


def _refused() -> Iterator[EntityExportSpec]:
    def refused(
        title: str,
        code: str,
        exported_object: str = "voucher",
        *,
        company: str = MEDIUM.company_sso_id,
        **parameters: Any,
    ) -> EntityExportSpec:
        document = entity_export(company, exported_object, {"format": "CSV"} | parameters)
        return EntityExportSpec(f"Refused: {title}", document, "ERROR", expected_code=code)

    yield refused("the company's switch is off", FLAG_OFF_CODE, company=RHEINLAND.company_sso_id)
    yield refused("no such company", "company_not_found", company=NOBODY_COMPANY_SSO_ID)
    yield refused("no such object", "invalid_export_object", "coupon")
    yield refused("no such field", "invalid_export_fields", fields=["code", "kode_rahasia"])
    yield refused("an order by nothing known", "invalid_export_order", order="-kode_rahasia")
    yield refused(
        "a raw Mongo operator in a filter",
        "invalid_export_filters",
        filters={"junction": "and", **condition("code", where=["sleep(1000)"])},
    )
    yield refused("a PDF", "invalid_export_format", format="PDF")


def _canceled() -> EntityExportSpec:
    document = entity_export(MEDIUM.company_sso_id, "order", {"format": "CSV"}, cancel_requested=True)
    return EntityExportSpec("Canceled before it started", document, "CANCELED")


def _repeated(first: EntityExportSpec) -> EntityExportSpec:
    asked = first.document
    document = entity_export(asked["company_sso_id"], asked["exported_object"], asked["parameters"])
    return EntityExportSpec(
        "The first one again: made anew, as some vouchers have no date",
        document,
        "DONE",
        expected_rows=first.expected_rows,
        repeats=asked["id"],
        is_served=False,
    )

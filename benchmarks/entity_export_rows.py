"""Documents for `benchmarks.entity_export`: vouchers, orders and customers as a company has them."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

COMPANY = "benchmark"
START = datetime(2024, 1, 1, tzinfo=UTC)
STATUSES = ("CREATED", "PAID", "CANCELED", "FULFILLED")
INSERT_ROWS = 5_000
Document = dict[str, Any]


def voucher(number: int) -> Document:
    at = START + timedelta(seconds=number)
    return {
        "company_sso_id": COMPANY,
        "id": f"v_{number:024d}",
        "code": f"SUMMER-{number:08d}",
        "campaign": f"Campaign {number % 300}",
        "campaign_id": f"camp_{number % 300}",
        "type": "DISCOUNT_VOUCHER",
        "discount": {"type": "AMOUNT", "amount_off": number % 5_000 * 100, "amount_limit": 99_000},
        "redemption": {"quantity": 5, "redeemed_quantity": number % 5},
        "start_date": at,
        "expiration_date": at + timedelta(days=90),
        "active": number % 7 != 0,
        "is_referral_code": False,
        "holder_id": f"cust_{number % 100_000:06d}",
        "assets": {"qr": {"url": f"https://qr.example/{number}"}, "bar": {"url": f"https://bar.example/{number}"}},
        "metadata": {"tier": ("gold", "silver", "blue")[number % 3], "batch": number // 1_000, "note": "Diskon, 10 %"},
        "created_at": at,
        "updated_at": at,
    }


def order(number: int) -> Document:
    at, amount = START + timedelta(seconds=number), number % 9_000 * 100
    return {
        "company_sso_id": COMPANY,
        "id": f"ord_{number:024d}",
        "source_id": f"shop-{number}",
        "status": STATUSES[number % 4],
        "amount": amount,
        "discount_amount": amount // 10,
        "items_discount_amount": 0,
        "total_discount_amount": amount // 10,
        "total_amount": amount - amount // 10,
        "customer_id": f"cust_{number % 100_000:06d}",
        "referrer_id": None,
        "metadata": {"channel": "web", "store": number % 50},
        "created_at": at,
        "updated_at": at + timedelta(hours=1),
    }


def customer(number: int) -> Document:
    at = START + timedelta(seconds=number)
    return {
        "company_sso_id": COMPANY,
        "id": f"cust_{number:06d}",
        "source_id": f"crm-{number}",
        "name": f"Pelanggan Nomor {number}",
        "email": f"pelanggan{number}@example.com",
        "phone": f"+62 812 {number:08d}",
        "address": {"city": "Jakarta", "country": "ID", "line_1": f"Jl. Merdeka {number}"},
        "birthdate": "1990-05-01",
        "referrer_id": f"cust_{number // 10:06d}",
        "metadata": {"tier": "gold"},
        "created_at": at,
        "updated_at": at,
    }


def redemption(number: int) -> Document:
    at = START + timedelta(seconds=number)
    return {
        "company_sso_id": COMPANY,
        "id": f"r_{number}",
        "object": "redemption_rollback" if number % 11 == 0 else "redemption",
        "result": "FAILURE" if number % 5 == 0 else "SUCCESS",
        "customer_id": f"cust_{number % 100_000:06d}",
        "created_at": at,
        "date": at,
    }


MAKERS = {"vouchers": voucher, "orders": order, "customers": customer, "redemptions": redemption}


def batches(collection: str, rows: int) -> Iterator[list[Document]]:
    """All documents of a collection, to be inserted."""
    make = MAKERS[collection]
    for first in range(0, rows, INSERT_ROWS):
        yield [make(number) for number in range(first, min(first + INSERT_ROWS, rows))]

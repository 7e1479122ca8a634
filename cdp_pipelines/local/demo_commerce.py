"""Demo commerce: all documents of one company's vouchers, orders and what belongs to them, agreeing with each other.

Belongs here: which companies have how much, and the order in which the parts are made. Not here: the parts
(`demo_commerce_*.py`) and writing them anywhere (`demo_commerce_load.py`).
"""

from typing import Final

from cdp_pipelines.local.demo_commerce_goods import make_products, make_skus
from cdp_pipelines.local.demo_commerce_ledger import Books
from cdp_pipelines.local.demo_commerce_orders import finish_orders, make_orders
from cdp_pipelines.local.demo_commerce_people import make_customers
from cdp_pipelines.local.demo_commerce_publications import make_publications
from cdp_pipelines.local.demo_commerce_redemptions import make_redemptions
from cdp_pipelines.local.demo_commerce_values import ID_PREFIXES, Document, Workshop
from cdp_pipelines.local.demo_commerce_vouchers import make_campaigns, make_vouchers
from cdp_pipelines.local.demo_companies import BIG, MEDIUM, RHEINLAND, DemoCompany
from cdp_pipelines.local.demo_contacts import DEMO_SEED

COMMERCE_COLLECTIONS: Final = tuple(ID_PREFIXES)
COMMERCE_COMPANIES: Final = (BIG, MEDIUM, RHEINLAND)
"""The companies that have commerce; the last one's switch is off."""

_SHARES: Final = {BIG.slug: 1.0, MEDIUM.slug: 0.1, RHEINLAND.slug: 0.01}

# How many at scale 1, and how few at any scale, so that every kind of value is still there.
_SIZES: Final = {
    "campaigns": (300, 45),
    "customers": (3_000, 80),
    "products": (200, 70),
    "skus": (600, 80),
    "vouchers": (20_000, 250),
    "orders": (8_000, 100),
    "redemptions": (9_000, 150),
    "publications": (1_500, 60),
    "points_expirations": (1_000, 20),
    "voucher_transactions": (4_000, 80),
}


def commerce_sizes(company: DemoCompany, scale: float = 1.0) -> dict[str, int]:
    """How many documents of each collection a company has at a scale; all 0 for one without commerce."""
    share = _SHARES.get(company.slug)
    if share is None:
        return dict.fromkeys(_SIZES, 0)
    return {name: max(round(size * share * scale), least) for name, (size, least) in _SIZES.items()}


def commerce_documents(company: DemoCompany, *, scale: float = 1.0, seed: int = DEMO_SEED) -> dict[str, list[Document]]:
    """Every commerce document of a company by collection, the same on every machine; dates are UTC-aware.

    The last document of each collection has nothing but `_id` and `company_sso_id`. A company without commerce has
    empty lists.
    """
    sizes = commerce_sizes(company, scale)
    if not sizes["customers"]:
        return {name: [] for name in COMMERCE_COLLECTIONS}
    workshop = Workshop.of(company, seed)
    customers = make_customers(workshop, sizes["customers"])
    products = make_products(workshop, sizes["products"])
    skus = make_skus(workshop, sizes["skus"], products)
    campaigns = make_campaigns(workshop, sizes["campaigns"])
    vouchers = make_vouchers(workshop, sizes["vouchers"], campaigns=campaigns, customers=customers, products=products)
    orders = make_orders(workshop, sizes["orders"], customers=customers, products=products, skus=skus)
    books = Books(workshop, vouchers)
    redemptions = make_redemptions(
        workshop, sizes["redemptions"], vouchers=vouchers, orders=orders, customers=customers, books=books
    )
    books.close(transactions=sizes["voucher_transactions"], expirations=sizes["points_expirations"])
    finish_orders(workshop, orders)
    publications = make_publications(workshop, sizes["publications"], vouchers=vouchers, customers=customers)
    return {
        "campaigns": campaigns,
        "customers": customers,
        "products": products,
        "skus": skus,
        "vouchers": vouchers,
        "orders": orders,
        "redemptions": redemptions,
        "publications": publications,
        "points_expirations": books.expirations,
        "voucher_transactions": books.transactions,
    }

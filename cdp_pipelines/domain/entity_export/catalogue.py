"""All objects that can be exported, by name. A tenth is one more description here; see `docs/adding-an-object.md`."""

from collections.abc import Mapping
from typing import Final

from cdp_pipelines.domain.entity_export.entities import Entity
from cdp_pipelines.domain.entity_export.objects.customer import CUSTOMER
from cdp_pipelines.domain.entity_export.objects.order import ORDER
from cdp_pipelines.domain.entity_export.objects.points_expiration import POINTS_EXPIRATION
from cdp_pipelines.domain.entity_export.objects.product import PRODUCT
from cdp_pipelines.domain.entity_export.objects.publication import PUBLICATION
from cdp_pipelines.domain.entity_export.objects.redemption import REDEMPTION
from cdp_pipelines.domain.entity_export.objects.sku import SKU
from cdp_pipelines.domain.entity_export.objects.voucher import VOUCHER
from cdp_pipelines.domain.entity_export.objects.voucher_transactions import VOUCHER_TRANSACTIONS

ENTITIES: Final[Mapping[str, Entity]] = {
    entity.name: entity
    for entity in (
        VOUCHER,
        ORDER,
        REDEMPTION,
        PUBLICATION,
        CUSTOMER,
        PRODUCT,
        SKU,
        POINTS_EXPIRATION,
        VOUCHER_TRANSACTIONS,
    )
}

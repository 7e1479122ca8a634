"""The partitions that every pipeline shares: one a company, keyed `company_sso_id`."""

from typing import Final

import dagster as dg

COMPANY_PARTITIONS_NAME: Final = "company"
COMPANY_PARTITIONS: Final = dg.DynamicPartitionsDefinition(name=COMPANY_PARTITIONS_NAME)

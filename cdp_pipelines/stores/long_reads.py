"""Reads that the database may take minutes for before it gives the first document: sorting, counting, adding up.

The driver's usual patience is for answers that come at once, and a large company's rows in an order would never come.
"""

from contextlib import AbstractContextManager
from typing import Final

import pymongo

LONG_READ_SECONDS: Final = 600
"""Less than a lease (`export_queue.LEASE_SECONDS`), which nobody renews meanwhile. The server gives up then, too."""


def long_read() -> AbstractContextManager[None]:
    """What is asked of MongoDB inside has `LONG_READ_SECONDS` altogether."""
    return pymongo.timeout(LONG_READ_SECONDS)

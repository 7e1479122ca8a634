"""How values read that are no text, number or instant: one rule for cells, nested values and JSON files.

BSON values are known by what they can do and have, so that no driver is imported.
"""

import base64
from collections.abc import Mapping
from typing import Any


def reference(value: Any) -> Mapping[str, Any] | None:
    """A reference to another document as the object that it is stored as: `{"$ref": "c", "$id": 1}`; else None."""
    convert = getattr(value, "as_doc", None)
    found = convert() if callable(convert) else None
    return found if isinstance(found, Mapping) else None


def other_text(value: Any) -> str:
    """Bytes as base64; anything else as it prints."""
    if isinstance(value, bytes | bytearray | memoryview):
        return base64.b64encode(value).decode("ascii")
    return str(value)

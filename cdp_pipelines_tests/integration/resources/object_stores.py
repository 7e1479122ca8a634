"""Reaching the session's object store as the product does."""

from collections.abc import Mapping
from typing import Any

from cdp_pipelines.resources.object_store import ObjectStore
from cdp_pipelines.resources.object_store_connection import StoreConnection


def connect(stack_env: Mapping[str, str], **changes: Any) -> ObjectStore:
    """The stack's bucket with the stack's keys; `changes` are arguments of `StoreConnection`."""
    settings: dict[str, Any] = {
        "bucket": stack_env["CDP_S3_BUCKET"],
        "endpoint_url": stack_env["CDP_S3_ENDPOINT_URL"],
        "access_key_id": stack_env["AWS_ACCESS_KEY_ID"],
        "secret_access_key": stack_env["AWS_SECRET_ACCESS_KEY"],
    }
    return ObjectStore(StoreConnection(**(settings | changes)))

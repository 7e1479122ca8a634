"""`result` of a finished export: what was written, links with their true end, and results that serve again."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from cdp_pipelines.domain.entity_export.delivery import file_name
from cdp_pipelines.domain.entity_export.request import EntityExportRequest
from cdp_pipelines.domain.object_keys import KeyOwner
from cdp_pipelines.pipelines.entity_export.outputs import WrittenFile
from cdp_pipelines.pipelines.entity_export.services import EntityServices
from cdp_pipelines.pipelines.entity_export.writing import Written
from cdp_pipelines.stores.entity_fingerprint import fingerprint

Document = dict[str, Any]


def result_of(services: EntityServices, written: Written, owner: KeyOwner) -> Document:
    """`{url, token, key, file_name, record_count, size_bytes, sha256, expires_at}`, of the manifest if there are parts.

    Then `parts` has each file with a link of its own, and `total_bytes` the size of them all.
    """
    lead = written.manifest or written.files[0]
    result: Document = {
        "key": lead.key,
        "file_name": file_name(lead.key),
        "record_count": written.record_count,
        "size_bytes": lead.size_bytes,
        "total_bytes": written.size_bytes,
        "sha256": lead.sha256,
        "cached": False,
    }
    if written.manifest is not None:
        result["parts"] = [_part(file) for file in written.files]
    return with_links(services, result, owner)


def _part(file: WrittenFile) -> Document:
    return {
        "key": file.key,
        "file_name": file_name(file.key),
        "record_count": file.record_count,
        "size_bytes": file.size_bytes,
        "sha256": file.sha256,
    }


def with_links(services: EntityServices, result: Mapping[str, Any], owner: KeyOwner) -> Document:
    """The result with new links and a new token; `expires_at` is when the first of the links ends.

    Raises:
        PermanentFailure: `OBJECT_KEY_FOREIGN`, a file was not made for the export that it is to be.
    """
    store, seconds = services.object_store(), services.limits.link_seconds()
    link = store.presign(owner.require(result["key"]), valid_seconds=seconds)
    linked: Document = {
        **result,
        "url": link.url,
        "token": secrets.token_urlsafe(32),
        "expires_at": link.expires_at,
    }
    if "parts" in result:
        links = [store.presign(owner.require(part["key"]), valid_seconds=seconds) for part in result["parts"]]
        linked["parts"] = [
            {**part, "url": each.url, "expires_at": each.expires_at}
            for part, each in zip(result["parts"], links, strict=True)
        ]
        linked["expires_at"] = min(link.expires_at, *(each.expires_at for each in links))
    return linked


@dataclass(frozen=True, slots=True)
class Cached:
    """An earlier export whose files serve this request too, and for whom those were made."""

    export_id: str
    result: Document
    owner: KeyOwner


def state_of(services: EntityServices, request: EntityExportRequest) -> str | None:
    """The state of the data now; None where nothing proves that it is still the same later."""
    return fingerprint(
        services.database,
        request.company_sso_id,
        request.entity,
        request.fields,
        request.filters,
        now=services.now(),
    )


def look_for_result(services: EntityServices, request: EntityExportRequest) -> tuple[str | None, Cached | None]:
    """The state of the data now, and a result that was made from the same data for the same request."""
    state = state_of(services, request)
    if request.fresh or state is None:
        return state, None
    # Its files must outlive the links that are made now.
    until = services.now() + timedelta(seconds=services.limits.link_seconds())
    found = services.jobs.find_result(request.company_sso_id, request.cache_key, state, files_until=until)
    if found is None or not _is_whole(services, found["result"]):
        return state, None
    result = {**found["result"], "cached": True, "made_at": found["ended_at"]}
    return state, Cached(found["id"], result, services.jobs.key_owner(found))


def _is_whole(services: EntityServices, result: Mapping[str, Any]) -> bool:
    store = services.object_store()
    files = [result, *(result.get("parts") or [])]
    return all(store.size(file["key"]) == file["size_bytes"] for file in files)

"""Whose a key is. The second company's keys are the tripwire."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cdp_pipelines.domain.contact_export.delivery import KEY_PREFIX, export_folder, object_key
from cdp_pipelines.domain.contact_notes.attachments import company_folder
from cdp_pipelines.domain.entity_export.catalogue import ENTITIES
from cdp_pipelines.domain.entity_export.delivery import company_prefix, key_stem, manifest_key, part_key
from cdp_pipelines.domain.errors import PermanentFailure
from cdp_pipelines.domain.object_keys import (
    KeyOwner,
    belongs,
    company_segment,
    key_segment,
    marked_random,
    marked_uuid,
    request_mark,
)

NOW = datetime(2024, 5, 1, 10, 2, 3, tzinfo=UTC)
RANDOM = "0123456789abcdef"
ODD_COMPANIES = [
    "acme", "acme2", "acme@x", "acme_x", "acme x", "acme%40x", "acme/../globex", "..", ".", "...", "a..b", "a%2E%2Eb",
    "private", "%70rivate", "exports", "globex", "日本", "\udce9", "Acme",
]  # fmt: skip


def contact_key(company: str, ref: str) -> str:
    random_part = marked_random(request_mark(company, ref), RANDOM)
    return object_key(company, "csv", now=NOW, random_part=random_part)


def entity_keys(company: str, ref: str) -> list[str]:
    unique = marked_uuid(request_mark(company, ref), RANDOM)
    stem = key_stem(company, ENTITIES["voucher_transactions"], now=NOW, unique=unique)
    return [part_key(stem, 1, "csv.gz"), part_key(stem, 2, "csv.gz"), manifest_key(stem)]


def contact_owner(company: str, ref: str) -> KeyOwner:
    return KeyOwner(export_folder(company), request_mark(company, ref))


def entity_owner(company: str, ref: str) -> KeyOwner:
    return KeyOwner(company_prefix(company), request_mark(company, ref))


def test_a_key_is_its_requests_and_nobody_elses() -> None:
    pairs = [(company, ref) for company in ODD_COMPANIES for ref in ("r1", "r2")]
    for maker in pairs:
        for asker in pairs:
            assert contact_owner(*asker).owns(contact_key(*maker)) is (asker == maker)
            for key in entity_keys(*maker):
                assert entity_owner(*asker).owns(key) is (asker == maker)
                assert not contact_owner(*asker).owns(key)


def test_no_companys_folder_lies_in_anothers() -> None:
    for folder_of in (export_folder, company_prefix, company_folder):
        folders = [folder_of(company) for company in ODD_COMPANIES]
        assert len(set(folders)) == len(folders)
        assert not any(a != b and a.startswith(b) for a in folders for b in folders)
        assert not any(part in {"", ".", ".."} for folder in folders for part in folder[:-1].split("/"))
    # What the bucket's rule removes after two days is contact exports and nothing else.
    assert not any(company_prefix(company).startswith(KEY_PREFIX) for company in ODD_COMPANIES)
    assert not any(company_folder(company).startswith("private/") for company in ODD_COMPANIES)


@pytest.mark.parametrize(
    "odd",
    [
        None, "", 5, [], {}, ["private/exports/acme/x"], True,
        "private/exports/acme/", "private/exports/acme2/{name}", "private/exports/globex/{name}",
        "private/exports/acme/../globex/{name}", "private/exports/acme/./{name}", "private/exports/acme//{name}",
        "/private/exports/acme/{name}", "private/exports/acme/{name}/", "private/exports/acme/{name}\n",
        "private/exports/acme/{name}\0.csv", "private/exports/acme/..", "private/exports/ACME/{name}",
        "private/exports/acme%2F{name}", " private/exports/acme/{name}", "private/exports/acme/{name}?versionId=1",
    ],
)  # fmt: skip
def test_what_only_looks_like_a_key_is_none(odd: object) -> None:
    owner = contact_owner("acme", "r1")
    name = contact_key("acme", "r1").rsplit("/", 1)[1]
    key = odd.replace("{name}", name) if isinstance(odd, str) else odd
    assert not owner.owns(key)
    with pytest.raises(PermanentFailure) as refused:
        owner.require(key)
    assert refused.value.code == "OBJECT_KEY_FOREIGN"
    assert name not in refused.value.message


def test_an_owner_without_a_mark_or_folder_owns_nothing() -> None:
    key = contact_key("acme", "r1")
    mark = request_mark("acme", "r1")
    assert belongs(key, export_folder("acme"), mark)
    assert not belongs(key, export_folder("acme"), "")
    assert not belongs(key, "", mark)
    assert not belongs(key, "private/exports/ac", mark)


def test_the_uuid_of_a_key_is_one() -> None:
    unique = marked_uuid(request_mark("acme", "r1"), RANDOM)
    assert UUID(unique).version == 8
    assert str(UUID(unique)) == unique
    with pytest.raises(ValueError, match="16 hex digits"):
        marked_uuid(request_mark("acme", "r1"), "../../x")


def test_an_empty_company_has_no_folder() -> None:
    with pytest.raises(ValueError, match="company"):
        company_segment("")


@given(st.text(min_size=1, max_size=30), st.text(min_size=1, max_size=30), st.text(max_size=60))
def test_random_companies_and_keys_never_meet(one: str, other: str, key: str) -> None:
    assume(one != other)
    assert company_segment(one) != company_segment(other)
    assert not contact_owner(one, "r").owns(contact_key(other, "r"))
    assert not contact_owner(one, "r").owns(key)
    assert not contact_owner(one, "r").owns(export_folder(one) + key)
    assert contact_owner(one, "r").owns(contact_key(one, "r"))
    assert all(entity_owner(one, "r").owns(made) for made in entity_keys(one, "r"))


@pytest.mark.parametrize(
    ("text", "segment"),
    [
        ("acme", "acme"), ("a b/c", "a%20b%2Fc"), (".", "%2E"), ("..", "%2E%2E"), ("a..b", "a%2E%2Eb"), ("a.b", "a.b"),
        ("\udce9", "%ED%B3%A9"), ("private", "%70rivate"), ("privat", "privat"),
    ],
)  # fmt: skip
def test_a_company_keeps_the_folder_that_its_files_lie_in(text: str, segment: str) -> None:
    assert company_segment(text) == segment
    assert key_segment(text) == ("private" if text == "private" else segment)


def test_the_owner_gets_its_own_key_back_unchanged() -> None:
    key = contact_key("acme", "r1")
    assert contact_owner("acme", "r1").require(key) == key


@pytest.mark.parametrize("random_part", ["0123456789abcde", "0123456789abcdeg", "0123456789ABCDEF", ""])
def test_a_uuid_is_made_of_sixteen_hex_digits_only(random_part: str) -> None:
    with pytest.raises(ValueError, match="16 hex digits"):
        marked_uuid("0" * 16, random_part)

"""What holds for any input: the same document again, counts that add up, every id once, nothing after the watermark."""

import math
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import bson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cdp_pipelines.domain.activity_logs.actors import known_actors
from cdp_pipelines.domain.activity_logs.audits import Audit
from cdp_pipelines.domain.activity_logs.categories import read_category_table
from cdp_pipelines.domain.activity_logs.changes import storable
from cdp_pipelines.domain.activity_logs.transform import Draft, Settled, begin, finish, settle
from cdp_pipelines.domain.crm_records import ContactRef, CrmUser, milliseconds
from cdp_pipelines.domain.failures import RowFailure
from cdp_pipelines.domain.migrations import Counts, ranges_up_to, shard_ranges
from cdp_pipelines.domain.outcomes import Skipped
from cdp_pipelines.domain.reconciliation import Pair, Tally, content_digest, merged
from cdp_pipelines.resources.crm_mapping import load_categories

relaxed = settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
TABLE = read_category_table(load_categories())
WATERMARK = datetime(2024, 6, 1, tzinfo=UTC)

texts = st.text(max_size=8) | st.sampled_from(["a\0b", "$x", "a.b", "[REDACTED]"])
scalars = (
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | texts | st.dates() | st.binary(max_size=4)
    | st.datetimes(timezones=st.just(UTC))
)  # fmt: skip
values: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts | st.integers(), inner, max_size=3),
    max_leaves=6,
)
yaml_lines = st.sampled_from(
    ["name: New", "name:\n- Old\n- New", "crm_person_id: 123", "crm_person_id:\n- 1\n-", "amount: 10.5", "\t- a", "- a",
     "crm_stage_id:\n- 1\n- 90", "ticket_status_id:\n- 1\n- 4", "crm_deal_id: 5", "{}", "x: !ruby/object:Y {}", "? a"]
)  # fmt: skip
audited_changes = st.none() | texts | st.lists(yaml_lines, max_size=4).map(lambda lines: "---\n" + "\n".join(lines))
ids = st.none() | st.integers(-1, 130)
audits = st.builds(
    Audit,
    id=st.integers(1, 2**63 - 1),
    auditable_id=ids,
    auditable_type=st.sampled_from([*TABLE.kinds, "Crm::Pipeline", "", None]),
    associated_id=ids,
    associated_type=st.sampled_from(["Crm::Deal", None]),
    user_id=st.none() | st.integers(1, 4),
    user_type=st.sampled_from(["User", "AdminUser", None]),
    action=st.sampled_from(["create", "update", "destroy", "touch", None]),
    audited_changes=audited_changes,
    comment=st.none() | texts | st.just('{"crm_person_id": 123}'),
    created_at=st.none() | st.integers(-5_000, 5_000).map(lambda n: WATERMARK + timedelta(microseconds=n)),
)
USERS = {1: CrmUser("a@example.com", "A", False), 2: CrmUser("b@example.com", "B", True), 3: CrmUser(None, None, False)}
SSO_IDS = {"a@example.com": "sso-a"}
Outcome = dict[str, Any] | Skipped | RowFailure


def outcome_of(audit: Audit) -> Outcome:
    begun = begin(audit, TABLE)
    if not isinstance(begun, Draft):
        return begun
    contact = ContactRef("c" * 24, WATERMARK) if begun.person_id == "123" else None
    settled = settle(begun, contact, TABLE, "company-1")
    return finish(settled, known_actors(USERS, SSO_IDS))[0] if isinstance(settled, Settled) else settled


@relaxed
@given(audit=audits)
def test_the_same_row_always_becomes_the_same(audit: Audit) -> None:
    first, second = outcome_of(audit), outcome_of(audit)
    assert first == second
    if isinstance(first, dict):
        assert isinstance(second, dict)
        assert content_digest(first) == content_digest(second)
        assert list(first) == list(second)


@relaxed
@given(audit=audits)
def test_nothing_at_or_after_the_watermark_becomes_a_document(audit: Audit) -> None:
    outcome = outcome_of(audit)
    if isinstance(outcome, dict):
        assert audit.created_at is not None
        assert audit.created_at < WATERMARK
        assert outcome["timestamp"] == milliseconds(audit.created_at)


@relaxed
@given(audit=audits)
def test_a_document_has_its_shape_and_its_own_audits_id(audit: Audit) -> None:
    outcome = outcome_of(audit)
    if isinstance(outcome, dict):
        assert list(outcome) == [
            "company_sso_id", "customer_id", "category", "action", "attributes", "actor", "timestamp", "source",
            "source_tag", "external_id", "metadata",
        ]  # fmt: skip
        assert outcome["external_id"] == f"crm_audit:{audit.id}"
        assert set(outcome["metadata"]) <= {"crm_person_id", "entity_type", "entity_id", "entity_name"}
        assert all(isinstance(value, str) and value for value in outcome["metadata"].values())
        assert outcome["action"] in {
            "create", "update", "delete", "link", "unlink", "resolved", "won", "lost", "completed",
        }  # fmt: skip
        bson.encode(outcome)
    elif isinstance(outcome, RowFailure):
        assert outcome.id == str(audit.id)


@relaxed
@given(page=st.lists(audits, max_size=12), splits=st.lists(st.integers(0, 12), max_size=3))
def test_counts_add_up_however_rows_come_in_pages(page: list[Audit], splits: list[int]) -> None:
    def counts(rows: list[Audit]) -> Counts:
        total = Counts()
        for outcome in map(outcome_of, rows):
            if isinstance(outcome, dict):
                total += Counts(migrated=1, notes={"n": 1})
            elif isinstance(outcome, Skipped):
                total += Counts(skipped={outcome.reason: 1})
            else:
                total += Counts(failed=1)
        return total

    edges = [0, *sorted(min(split, len(page)) for split in splits), len(page)]
    parts = Counts()
    for start, end in pairwise(edges):
        parts += counts(page[start:end])
    whole = counts(page)
    assert parts == whole
    assert whole.processed == len(page) == whole.migrated + sum(whole.skipped.values()) + whole.failed
    assert 0 <= whole.failure_rate <= 1
    assert whole - parts == Counts()


@relaxed
@given(value=values)
def test_what_is_storable_can_be_encoded_and_read_back(value: Any) -> None:
    """Texts are without lone surrogates, as the reader of the column gives them."""
    stored = storable(value)
    assert storable(stored) == stored
    assert bson.decode(bson.encode({"v": stored})) == {"v": stored}


@relaxed
@given(first=st.integers(1, 10**6), width=st.integers(-2, 200), shards=st.integers(-1, 70))
def test_shards_hold_every_id_once_in_order(first: int, width: int, shards: int) -> None:
    last = first + width - 1
    ranges = shard_ranges(first, last, shards)
    assert [number for part in ranges for number in range(part.after + 1, part.to + 1)] == list(range(first, last + 1))
    assert len(ranges) <= max(shards, 1)
    assert all(part.to > part.after for part in ranges)
    widths = [part.to - part.after for part in ranges]
    assert not widths or max(widths) - min(widths) <= 1


@relaxed
@given(ids=st.lists(st.integers(1, 10**6), min_size=1, max_size=60, unique=True), shards=st.integers(2, 64))
def test_shards_by_rows_hold_every_id_once_and_as_many_rows_each(ids: list[int], shards: int) -> None:
    rows = sorted(ids)
    shares = [number / shards for number in range(1, shards)]
    # As the database's `percentile_disc` answers.
    uppers = [rows[max(0, math.ceil(share * len(rows)) - 1)] for share in shares]
    ranges = ranges_up_to(rows[0], uppers, rows[-1])
    assert [part.after for part in ranges] == [rows[0] - 1, *(part.to for part in ranges[:-1])]
    assert ranges[-1].to == rows[-1]
    counts = [sum(part.after < number <= part.to for number in rows) for part in ranges]
    assert sum(counts) == len(rows)
    assert len(ranges) == min(shards, len(rows))
    assert max(counts) - min(counts) <= 1


sides = st.dictionaries(st.integers(0, 30), texts, max_size=12)


@relaxed
@given(left=sides, right=sides)
def test_merging_streams_is_comparing_dictionaries(left: dict[int, str], right: dict[int, str]) -> None:
    found = list(merged(iter(sorted(left.items())), iter(sorted(right.items()))))
    assert found == [Pair(key, left.get(key), right.get(key)) for key in sorted({**left, **right})]


verdicts = st.sampled_from(["identical", "changed_since", "different", "missing", "extra"])


@relaxed
@given(before=st.lists(verdicts, max_size=8), after=st.lists(verdicts, max_size=8))
def test_a_tally_carried_over_a_restart_is_the_same(before: list[Any], after: list[Any]) -> None:
    def counted(tally: Tally, found: list[Any]) -> Tally:
        for number, verdict in enumerate(found):
            tally.count(verdict, str(number))
            tally.source += verdict != "extra"
            tally.note(verdict)
        return tally

    straight = counted(counted(Tally(), before), after)
    restarted = counted(Tally.from_document(counted(Tally(), before).as_document()), after)
    assert restarted == straight
    assert straight.matching + straight.different + straight.missing == straight.eligible
    assert (straight.match_pct is None) == (straight.eligible == 0)
    if straight.eligible:
        assert (straight.match_pct == 100.0) == (straight.different == straight.missing == 0)


documents: st.SearchStrategy[dict[str, Any]] = st.dictionaries(st.text(max_size=3), scalars, max_size=4)


@relaxed
@given(document=documents, key=st.text(max_size=3), value=st.integers() | st.dates())
def test_a_digest_depends_on_every_value_and_not_on_the_order(document: Any, key: str, value: int | date) -> None:
    backwards = dict(reversed(list(document.items())))
    assert content_digest(document) == content_digest(backwards)
    changed = {**document, key: value}
    if repr(changed) != repr(document) and str(document.get(key)) != str(value):
        assert content_digest(changed) != content_digest(document)

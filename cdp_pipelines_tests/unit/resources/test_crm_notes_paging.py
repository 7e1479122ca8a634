"""Finding one's way through the pages of the CRM's API, on a CRM in memory that changes between two questions."""

import math
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp_pipelines.domain.errors import PermanentFailure
from cdp_pipelines.resources.crm_notes import NotesOverview
from cdp_pipelines.resources.crm_notes_api import ASKS_FOR_A_PAGE, MOST_STANDSTILLS, HttpNotes

MAY = datetime(2024, 5, 1, tzinfo=UTC)
END = 10**9


class CrmInMemory:
    """Answers as SPEC 6 says; `meanwhile` is called before each answer with the number of the question."""

    def __init__(
        self, ids: Iterable[int], *, most: int = 1_000, meanwhile: Callable[["CrmInMemory"], None] | None = None
    ) -> None:
        self.ids = sorted(ids)
        self.most = most
        self.meanwhile = meanwhile
        self.asked: list[tuple[int, int]] = []
        self.created: dict[int, str] = {}
        self.closed = False

    def get(self, path: str, parameters: Mapping[str, str | int]) -> Any:
        assert path == "/api/v1/organizations/7/person_notes"
        page, per_page = int(parameters["page"]), min(int(parameters["per_page"]), self.most)
        self.asked.append((page, int(parameters["per_page"])))
        if self.meanwhile is not None:
            self.meanwhile(self)
        data = [
            {"id": each, "created_at": self.created.get(each)}
            for each in self.ids[(page - 1) * per_page : page * per_page]
        ]
        return {"data": data, "pagination": {"page": page, "per_page": per_page, "total": len(self.ids)}}

    def close(self) -> None:
        self.closed = True

    def delete(self, *ids: int) -> None:
        self.ids = [each for each in self.ids if each not in ids]


def read(
    crm: Any, *, after: int = 0, to: int = END, cutoff: datetime | None = None, page_rows: int = 10
) -> list[list[int]]:
    pages = HttpNotes(crm, 7).notes(after=after, to=to, cutoff=cutoff, page_rows=page_rows)
    return [[note.id for note in page] for page in pages]


def flat(pages: list[list[int]]) -> list[int]:
    return [each for page in pages for each in page]


class TestPages:
    def test_all_in_order_and_at_most_so_many_a_page(self) -> None:
        crm = CrmInMemory(range(3, 103, 3))
        pages = read(crm)
        assert flat(pages) == list(range(3, 103, 3))
        assert [len(page) for page in pages] == [10, 10, 10, 4]

    @pytest.mark.parametrize(("page_rows", "asked"), [(500, 500), (1_000, 1_000), (5_000, 1_000)])
    def test_never_more_than_a_thousand_are_asked_for(self, page_rows: int, asked: int) -> None:
        crm = CrmInMemory(range(1, 2_501))
        assert flat(read(crm, page_rows=page_rows)) == list(range(1, 2_501))
        assert max(per_page for _, per_page in crm.asked) == asked

    def test_a_server_that_gives_fewer_a_page_than_asked(self) -> None:
        crm = CrmInMemory(range(2, 400, 2), most=7)
        assert flat(read(crm, page_rows=100)) == list(range(2, 400, 2))
        assert flat(read(crm, after=201, page_rows=100)) == list(range(202, 400, 2))
        assert HttpNotes(crm, 7).overview(None) == NotesOverview(199, 2, 398)

    def test_an_empty_organization(self) -> None:
        crm = CrmInMemory([])
        assert read(crm) == []
        assert read(crm, after=5) == []
        assert HttpNotes(crm, 7).overview(None) == HttpNotes(crm, 7).overview(MAY) == NotesOverview(0, 0, 0)

    @pytest.mark.parametrize("after", [0, 1, 2, 19, 20, 21, 499, 500, 501, 980, 999, 1_000, 1_001])
    @pytest.mark.parametrize("to", [0, 1, 20, 21, 500, 999, 1_000, END])
    def test_from_one_id_to_another(self, after: int, to: int) -> None:
        ids = range(2, 1_001, 2)
        assert flat(read(CrmInMemory(ids), after=after, to=to)) == [each for each in ids if after < each <= to]

    def test_nothing_is_asked_for_beyond_the_last_that_is_wanted(self) -> None:
        crm = CrmInMemory(range(1, 1_001))
        assert flat(read(crm, to=15)) == list(range(1, 16))
        assert {page for page, _ in crm.asked} == {1, 2}

    @pytest.mark.parametrize("after", [5_000, 123_456, 123_450, 999_999])
    def test_the_first_page_is_found_by_halving(self, after: int) -> None:
        crm = CrmInMemory(range(1, 1_000_001))
        next(HttpNotes(crm, 7).notes(after=after, to=END, cutoff=None, page_rows=10))
        assert len(crm.asked) <= 5 + math.log2(100_000)

    def test_a_note_is_asked_for_beside_each_page_only_where_one_may_have_moved(self) -> None:
        gaps, dense = CrmInMemory(range(2, 202, 2)), CrmInMemory(range(1, 101))
        read(gaps)
        read(dense)
        assert (len(gaps.asked), len(dense.asked)) == (10 + 9, 10)

    def test_cutoff(self) -> None:
        crm = CrmInMemory(range(1, 31))
        crm.created = {each: f"2024-0{4 if each % 2 else 5}-01T00:00:00Z" for each in range(1, 29)}
        kept = [each for each in range(1, 31) if each % 2 == 0 or each == 29]
        assert flat(read(crm, cutoff=MAY)) == kept
        assert HttpNotes(crm, 7).overview(MAY) == NotesOverview(len(kept), 2, 30)

    def test_a_page_without_a_recent_note_is_no_page(self) -> None:
        crm = CrmInMemory(range(1, 31))
        crm.created = dict.fromkeys(range(1, 25), "2024-01-01T00:00:00Z")
        assert read(crm, cutoff=MAY) == [[25, 26, 27, 28, 29, 30]]

    def test_single_notes(self) -> None:
        crm = CrmInMemory(range(10, 10_000, 10))
        notes = HttpNotes(crm, 7)
        assert [note.id for note in notes.notes_by_id([5_000, 20, 25, 9_990, 20, 99_999])] == [20, 5_000, 9_990]
        asked = len(crm.asked)
        assert notes.notes_by_id([]) == []
        assert len(crm.asked) == asked

    def test_close(self) -> None:
        crm = CrmInMemory([])
        HttpNotes(crm, 7).close()
        assert crm.closed


class TestChangesMeanwhile:
    def test_as_many_added_as_deleted(self) -> None:
        def swap(crm: CrmInMemory) -> None:
            if len(crm.asked) == 2:
                crm.delete(3)
                crm.ids.append(1_000)

        assert flat(read(CrmInMemory(range(2, 62), meanwhile=swap))) == [*range(2, 62), 1_000]

    def test_deleted_after_the_next_page_was_read_and_before_it_was_looked_back(self) -> None:
        def delete(crm: CrmInMemory) -> None:
            if len(crm.asked) == 3:
                crm.delete(2, 4, 6)

        assert flat(read(CrmInMemory(range(2, 82, 2), meanwhile=delete))) == list(range(2, 82, 2))

    def test_the_last_note_of_a_page_is_deleted(self) -> None:
        def delete(crm: CrmInMemory) -> None:
            if len(crm.asked) == 2:
                crm.delete(20)

        assert flat(read(CrmInMemory(range(2, 82, 2), meanwhile=delete))) == list(range(2, 82, 2))

    def test_many_pages_are_deleted_at_once(self) -> None:
        def delete(crm: CrmInMemory) -> None:
            if crm.asked[-1][0] == 90:
                crm.delete(*range(2, 1_600, 2))

        found = flat(read(CrmInMemory(range(2, 2_002, 2), meanwhile=delete)))
        assert [each for each in found if each >= 1_600] == list(range(1_600, 2_002, 2))

    def test_deleted_while_the_first_page_is_sought(self) -> None:
        def delete(crm: CrmInMemory) -> None:
            if len(crm.asked) == 4:
                crm.delete(*range(2, 60, 2))

        crm = CrmInMemory(range(2, 2_002, 2), meanwhile=delete)
        assert flat(read(crm, after=500)) == list(range(502, 2_002, 2))

    def test_all_are_deleted(self) -> None:
        def delete(crm: CrmInMemory) -> None:
            if len(crm.asked) == 2:
                crm.ids = []

        assert read(CrmInMemory(range(2, 82, 2), meanwhile=delete)) == [list(range(2, 22, 2))]

    def test_the_last_page_empties_before_it_is_looked_at(self) -> None:
        def delete(crm: CrmInMemory) -> None:
            if len(crm.asked) == 2:
                crm.ids = crm.ids[:700]

        assert HttpNotes(CrmInMemory(range(1, 5_001), meanwhile=delete), 7).overview(None).last_id == 700

    @settings(max_examples=150, deadline=None)
    @given(data=st.data(), size=st.integers(1, 5), count=st.integers(0, 40), gap=st.integers(1, 3))
    def test_every_note_that_is_there_all_the_time_comes_once(
        self, data: st.DataObject, size: int, count: int, gap: int
    ) -> None:
        changes = st.lists(st.one_of(st.just("add"), st.integers(0, 1_000)), max_size=4)
        deleted: set[int] = set()

        def change(crm: CrmInMemory) -> None:
            if len(crm.asked) > 60:
                return
            for each in data.draw(changes):
                if each == "add":
                    crm.ids.append(max([*crm.ids, *deleted, 0]) + gap)
                elif crm.ids:
                    gone = crm.ids[int(each) % len(crm.ids)]
                    crm.delete(gone)
                    deleted.add(gone)

        before = [gap * number for number in range(1, count + 1)]
        after, to = data.draw(st.integers(0, gap * count)), data.draw(st.sampled_from([gap * count, gap * count // 2]))
        found = flat(read(CrmInMemory(before, meanwhile=change), after=after, to=to, page_rows=size))
        assert found == sorted(set(found))
        assert all(after < each <= to for each in found)
        assert {each for each in before if after < each <= to} - deleted <= set(found)


class Twisted:
    """A CRM whose answers a function spoils."""

    def __init__(self, crm: CrmInMemory, twist: Callable[[int, Any], Any]) -> None:
        self.crm, self.twist = crm, twist

    def get(self, path: str, parameters: Mapping[str, str | int]) -> Any:
        answer = self.crm.get(path, parameters)
        return self.twist(len(self.crm.asked), answer)

    def close(self) -> None:
        self.crm.close()


def with_total(answer: Any, total: int) -> Any:
    return {**answer, "pagination": {**answer["pagination"], "total": total}}


class TestPagesThatDoNotFit:
    @pytest.mark.parametrize("total", [0, 15, 25, 30, 31, 1_000])
    def test_a_total_that_is_wrong_is_no_silent_end(self, total: int) -> None:
        crm = Twisted(CrmInMemory(range(1, 30)), lambda _, answer: with_total(answer, total))
        with pytest.raises(PermanentFailure, match="than its total says") as caught:
            read(crm)
        assert caught.value.code == "CRM_EXTRACT_FAILED"

    def test_a_total_of_another_moment_passes(self) -> None:
        crm = Twisted(
            CrmInMemory(range(1, 30)), lambda number, answer: with_total(answer, 40) if number == 3 else answer
        )
        assert flat(read(crm)) == list(range(1, 30))

    def test_asked_again_a_bounded_number_of_times(self) -> None:
        crm = CrmInMemory(range(1, 30))
        with pytest.raises(PermanentFailure):
            read(Twisted(crm, lambda _, answer: with_total(answer, 5)))
        assert len(crm.asked) == ASKS_FOR_A_PAGE

    def test_a_size_that_changes_between_pages(self) -> None:
        def shrink(crm: CrmInMemory) -> None:
            crm.most = 10 if len(crm.asked) == 1 else 5

        with pytest.raises(PermanentFailure, match="another per_page"):
            read(CrmInMemory(range(1, 30), meanwhile=shrink))

    def test_notes_that_never_stand_still(self) -> None:
        def flicker(crm: CrmInMemory) -> None:
            # The page ends, and when it is looked for what follows, nothing does.
            crm.ids = list(range(1, 11)) if crm.asked[-1][0] == 2 else list(range(1, 21))

        crm = CrmInMemory([], meanwhile=flicker)
        with pytest.raises(PermanentFailure, match="time and again"):
            read(crm)
        assert len(crm.asked) <= 3 * MOST_STANDSTILLS

"""Whether a file holds all rows: what was written, held against what was counted before (SPEC 4, every row once).

Fewer rows than were counted are right where rows were deleted meanwhile, or ceased to match. Then fewer match at the
end too. Where as many match as before, rows are missing. See decision 0028.
"""

from typing import Final, Literal, TypeAlias

from cdp_pipelines.domain.people_words import Words

Verdict: TypeAlias = Literal["whole", "missing", "unsettled"]

ROWS_MISSING: Final = "ROWS_MISSING"
UNSETTLED: Final = Words(
    "Rows were changed while the file was written, so some that match your filters now may not be in it.",
    "Sejumlah baris berubah saat file dibuat, sehingga sebagian yang kini cocok dengan filter Anda mungkin tidak ada "
    "di dalamnya.",
)


def verdict(*, counted: int, written: int, matching_now: int, filtered: bool) -> Verdict:
    """`missing`: rows are not in the file though they were there all the time; such a file is written anew.

    `unsettled`: they may also have begun to match behind the walk, which only rows under a filter do while as many
    cease to; the file is right, and its user is told. `matching_now` counts the rows up to where the walk ended.
    """
    if written >= min(counted, matching_now):
        return "whole"
    return "unsettled" if filtered else "missing"

"""Whether a file holds all rows."""

import pytest

from cdp_pipelines.domain.entity_export.completeness import Verdict, verdict


@pytest.mark.parametrize(
    ("counted", "written", "now", "filtered", "expected"),
    [
        (3, 3, 3, False, "whole"),
        (3, 0, 3, False, "missing"),
        (3, 2, 3, False, "missing"),
        # Rows were added while the file was written, or deleted before they were reached.
        (3, 5, 5, False, "whole"),
        (3, 2, 2, False, "whole"),
        (3, 0, 0, False, "whole"),
        # Of three that went, one was written before it did.
        (3, 1, 0, False, "whole"),
        # Two were deleted, and another one besides is not there.
        (5, 2, 3, False, "missing"),
        # Added behind the walk, after it began: not missing, as long as what was counted is there.
        (3, 3, 9, False, "whole"),
        (3, 2, 3, True, "unsettled"),
        (3, 3, 4, True, "whole"),
        (3, 2, 2, True, "whole"),
    ],
)
def test_verdicts(counted: int, written: int, now: int, filtered: bool, expected: Verdict) -> None:
    assert verdict(counted=counted, written=written, matching_now=now, filtered=filtered) == expected

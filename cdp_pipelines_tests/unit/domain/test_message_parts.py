"""Sizes for people; the rest of the module is tested through the emails."""

import pytest

from cdp_pipelines.domain.message_parts import ENGLISH_LANGUAGE, INDONESIAN_LANGUAGE, size_text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1_000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (999_951, "1.0 MB"),
        (1_234_567, "1.2 MB"),
        (5 * 10**9, "5.0 GB"),
        (12 * 10**15, "12000.0 TB"),
    ],
)
def test_sizes(size: int, text: str) -> None:
    assert size_text(size, ENGLISH_LANGUAGE) == text
    assert size_text(size, INDONESIAN_LANGUAGE) == text.replace(".", ",")

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp_pipelines.domain.contact_notes.magic_bytes import danger, is_plain_text, reads_as_text, signature
from cdp_pipelines_tests.unit.domain.contact_notes.samples import BINARIES, MORE, PAGES, PROGRAMS, TEXTS


@pytest.mark.parametrize(("head", "kind"), [*((head, kind) for kind, head in BINARIES.items()), *MORE])
def test_a_format_is_known_by_how_it_begins(head: bytes, kind: str) -> None:
    assert signature(head) == kind
    assert danger(head) is None
    assert not is_plain_text(head)


@pytest.mark.parametrize("text", TEXTS)
def test_text_is_text(text: bytes) -> None:
    assert signature(text) is None
    assert danger(text) is None
    assert is_plain_text(text)


@pytest.mark.parametrize("head", [*PROGRAMS, *PAGES], ids=lambda head: repr(head[:40]))
def test_programs_and_pages_are_dangerous(head: bytes) -> None:
    assert danger(head) is not None
    assert not is_plain_text(head)


@pytest.mark.parametrize(
    "head",
    [
        b"a\x00b",
        b"Hello <script>alert(1)</script>",
        b'{"a": "<SCRIPT src=x>"}',
        "Hello <script>alert(1)</script>".encode("utf-16"),
        b"\x80\x00\x01\x02",
    ],
)
def test_what_is_not_plain_text(head: bytes) -> None:
    assert not is_plain_text(head)


@pytest.mark.parametrize("kind", sorted(set(BINARIES) - {"application/rtf", "application/x-tar", "video/mp2t"}))
def test_a_format_is_not_known_by_a_part_of_its_signature(kind: str) -> None:
    assert signature(BINARIES[kind][1:]) != kind
    assert signature(BINARIES[kind][:2]) != kind or kind == "application/gzip"


@pytest.mark.parametrize(
    ("second", "third", "kind"),
    [
        (0xFB, 0x90, "audio/mpeg"),  # version 1, layer III
        (0xFD, 0x90, "audio/mpeg"),  # layer II
        (0xF3, 0x48, "audio/mpeg"),  # version 2
        (0xE3, 0x48, "audio/mpeg"),  # version 2.5
        (0xEB, 0x90, None),  # no version
        (0xFF, 0x90, None),  # layer I
        (0xFB, 0xF0, None),  # no bitrate
        (0xFB, 0x9C, None),  # no sample rate
        (0xDB, 0x90, None),  # no frame
        (0xF1, 0x50, "audio/aac"),
        (0xF9, 0x50, "audio/aac"),
    ],
)
def test_a_frame_of_sound_is_known_by_all_of_its_fields(second: int, third: int, kind: str | None) -> None:
    assert signature(bytes((0xFF, second, third, 0x64))) == kind


@pytest.mark.parametrize(
    ("head", "is_text"),
    [
        (b"", True),
        (b"plain\ttext\r\n\x0c\x1b[0m", True),
        ("Gr\xfc\xdfe".encode("cp1252"), True),
        ("\ufeff<html>".encode("utf-16-le"), True),
        (b"%PDF-1.7", False),
        (b"see %PDF-1.7", True),
        *((b"a" + bytes((control,)), False) for control in (0, 1, 8, 11, 14, 26, 28, 31)),
    ],
)
def test_text_is_told_by_the_bytes_that_no_text_has(head: bytes, is_text: bool) -> None:
    assert reads_as_text(head) is is_text


@settings(max_examples=200)
@given(
    st.binary(max_size=64)
    | st.sampled_from(sorted(BINARIES.values())).flatmap(lambda s: st.integers(0, 40).map(lambda n: s[:n]))
)
def test_any_beginning_has_an_answer(head: bytes) -> None:
    assert signature(head) is None or "/" in str(signature(head))
    if is_plain_text(head):
        assert danger(head) is None

"""What the email about an entity export says (SPEC 4): that it is ready, or why it is not.

Belongs here: choosing what is said from the facts of an export. Not here: the sentences (`message_texts`), the layout
(`message_layout`), what all messages are made of (`message_parts`), sending (`cdp_pipelines.resources`). The file is
linked and never attached, whatever its size; a canceled export sends no email.
"""

from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import Final, Literal, TypeAlias

from cdp_pipelines.domain.entity_export.message_texts import Noun, Texts, texts_for
from cdp_pipelines.domain.message_layout import EmailContent, as_html, as_text
from cdp_pipelines.domain.message_parts import (
    ComposedMessage,
    message_id,
    moment_text,
    number_text,
    one_line,
    size_text,
    web_link,
)

__all__ = ["ComposedMessage", "EmailVariant", "FilePart", "MessageFacts", "compose", "message_id"]

MOST_WARNINGS: Final = 20
MOST_PARTS: Final = 20
"""So many parts are linked in the email; the manifest has all of them."""

EmailVariant: TypeAlias = Literal["succeeded", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FilePart:
    """One file of an export that was split; `link` downloads it."""

    name: str
    row_count: int
    size_bytes: int
    link: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageFacts:
    """What is known of an ended export. `zone` and `zone_name` are those instants are shown in.

    With `parts`, `file_name` and `link` are the manifest's, and `size_bytes` is that of all parts. `file_format` is
    `CSV` and the like, `compression` `gzip` or None. `schedule_name` is set when nobody asked for it in person.
    `made_at` is set when the file was made for an earlier export, and serves again.
    `failure_reason` and `warnings` are texts for people.
    """

    request_id: str
    exported_object: str
    locale: str
    zone: tzinfo
    zone_name: str
    file_name: str | None = None
    link: str | None = field(default=None, repr=False)
    expires_at: datetime | None = None
    row_count: int = 0
    size_bytes: int | None = None
    file_format: str = ""
    compression: str | None = None
    parts: tuple[FilePart, ...] = ()
    made_at: datetime | None = None
    schedule_name: str | None = None
    failure_reason: str | None = None
    warnings: tuple[str, ...] = ()


def compose(variant: EmailVariant, facts: MessageFacts) -> ComposedMessage:
    """The email of a variant, in the language of the request's locale (English, or Indonesian for `id…`)."""
    texts = texts_for(facts.locale)
    noun = texts.nouns.get(facts.exported_object, texts.nouns[""])
    ended_well = variant == "succeeded"
    title = (texts.ready_title if ended_well else texts.failed_title).format(export=noun.export)
    link = web_link(facts.link) if ended_well else None
    footer = texts.footer if facts.schedule_name is None else texts.schedule_footer
    content = EmailContent(
        language=texts.language.code,
        title=title,
        paragraphs=_about_file(facts, texts, noun) if ended_well else _about_failure(facts, texts, noun),
        link=(texts.download_manifest if facts.parts else texts.download, link) if link else None,
        more_links=_part_links(facts, texts) if link else (),
        link_note=_link_note(facts, texts),
        notes=(texts.please_note, _warnings(facts, texts)),
        details=_details(variant, facts, texts),
        footer=footer.format(export=noun.export),
    )
    subject = f"{title} ({_rows(facts, texts, noun)})" if ended_well else title
    return ComposedMessage(subject=subject, text=as_text(content), html=as_html(content))


def _about_file(facts: MessageFacts, texts: Texts, noun: Noun) -> tuple[str, ...]:
    whole = texts.holds if facts.row_count else texts.holds_nothing
    pattern = texts.split if facts.parts else whole
    holds = pattern.format(
        file=one_line(facts.file_name or "") or (texts.manifest if facts.parts else texts.file).lower(),
        rows=_rows(facts, texts, noun),
        one=noun.one,
        count=number_text(len(facts.parts), texts.language),
    )
    served = (texts.served_again.format(when=_moment(facts.made_at, facts, texts)),) if facts.made_at else ()
    # Of several files, the links speak for themselves.
    return (holds, *served, texts.linked) if web_link(facts.link) and not facts.parts else (holds, *served)


def _about_failure(facts: MessageFacts, texts: Texts, noun: Noun) -> tuple[str, ...]:
    reason = one_line(facts.failure_reason or "")
    failed = texts.failed.format(export=noun.export)
    return (failed, *([texts.reason.format(reason=reason)] if reason else []), texts.try_again)


def _part_links(facts: MessageFacts, texts: Texts) -> tuple[tuple[str, str], ...]:
    return tuple(
        (f"{one_line(part.name)} ({size_text(part.size_bytes, texts.language)})", link)
        for part in facts.parts[:MOST_PARTS]
        if (link := web_link(part.link))
    )


def _link_note(facts: MessageFacts, texts: Texts) -> str:
    if facts.expires_at is None:
        return texts.link_note_without_end
    return texts.link_note.format(when=_moment(facts.expires_at, facts, texts))


def _warnings(facts: MessageFacts, texts: Texts) -> tuple[str, ...]:
    shown = tuple(one_line(warning) for warning in facts.warnings[:MOST_WARNINGS])
    left = len(facts.warnings) - len(shown)
    return (*shown, texts.and_more.format(count=number_text(left, texts.language))) if left else shown


def _details(variant: EmailVariant, facts: MessageFacts, texts: Texts) -> tuple[tuple[str, str], ...]:
    last = [(texts.reference, one_line(facts.request_id))]
    if facts.schedule_name is not None:
        last.insert(0, (texts.schedule, one_line(facts.schedule_name)))
    if variant == "failed":
        return tuple(last)
    details = []
    if facts.file_name:
        details.append((texts.manifest if facts.parts else texts.file, one_line(facts.file_name)))
    if facts.parts:
        details.append((texts.files, _names_of_parts(facts, texts)))
    details.append((texts.row_count, number_text(facts.row_count, texts.language)))
    if facts.size_bytes is not None:
        details.append((texts.size, size_text(facts.size_bytes, texts.language)))
    if facts.file_format:
        compression = f", {one_line(facts.compression)}" if facts.compression else ""
        details.append((texts.format, one_line(facts.file_format) + compression))
    if facts.expires_at and web_link(facts.link):
        details.append((texts.works_until, _moment(facts.expires_at, facts, texts)))
    return (*details, *last)


def _names_of_parts(facts: MessageFacts, texts: Texts) -> str:
    names = ", ".join(one_line(part.name) for part in facts.parts[:MOST_PARTS])
    left = len(facts.parts) - MOST_PARTS
    return f"{names} {texts.and_more.format(count=number_text(left, texts.language))}" if left > 0 else names


def _rows(facts: MessageFacts, texts: Texts, noun: Noun) -> str:
    return f"{number_text(facts.row_count, texts.language)} {noun.one if facts.row_count == 1 else noun.many}"


def _moment(instant: datetime, facts: MessageFacts, texts: Texts) -> str:
    return moment_text(instant, facts.zone, facts.zone_name, texts.language)

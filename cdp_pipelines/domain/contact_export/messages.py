"""What the email and the in-app notification about an export say (SPEC 3.4).

Belongs here: choosing what is said from the facts of a job. Not here: the sentences (`message_texts`), the layout
(`message_layout`), what all messages are made of (`message_parts`), sending (`cdp_pipelines.resources`).
"""

from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import Final

from cdp_pipelines.domain.contact_export.delivery import EmailVariant
from cdp_pipelines.domain.contact_export.message_texts import Texts, texts_for
from cdp_pipelines.domain.message_layout import EmailContent, as_html, as_text
from cdp_pipelines.domain.message_parts import (
    ComposedMessage,
    message_id,
    moment_text,
    number_text,
    one_line,
    web_link,
)

__all__ = ["MOST_WARNINGS", "ComposedMessage", "MessageFacts", "compose", "message_id", "notification_text"]

MOST_WARNINGS: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageFacts:
    """What is known of an ended export. `zone` and `zone_name` are those instants are shown in.

    `row_count` customers are in the file, `failed_count` of those asked for are not; `matched_count` matched when the
    file holds only the first (`truncated`). `failure_reason` and `warnings` are texts for people.
    """

    request_id: str
    locale: str
    zone: tzinfo
    zone_name: str
    file_name: str | None = None
    link: str | None = field(default=None, repr=False)
    expires_at: datetime | None = None
    row_count: int = 0
    failed_count: int = 0
    truncated: bool = False
    matched_count: int | None = None
    attached: bool = False
    failure_reason: str | None = None
    warnings: tuple[str, ...] = ()


def compose(variant: EmailVariant, facts: MessageFacts) -> ComposedMessage:
    """The email of a variant, in the language of the request's locale (English, or Indonesian for `id…`)."""
    texts = texts_for(facts.locale)
    title = _title(variant, facts, texts)
    ended_well = variant != "failed"
    link = web_link(facts.link) if ended_well else None
    content = EmailContent(
        language=texts.language.code,
        title=title,
        paragraphs=_about_file(variant, facts, texts) if ended_well else _about_failure(facts, texts),
        link=(texts.download, link) if link else None,
        link_note=_link_note(facts, texts),
        notes=(texts.please_note, _warnings(facts, texts)),
        details=_details(variant, facts, texts),
        footer=texts.footer,
    )
    subject = f"{title} ({_customers(facts.row_count, texts)})" if variant == "succeeded" else title
    return ComposedMessage(subject=subject, text=as_text(content), html=as_html(content))


def notification_text(variant: EmailVariant, facts: MessageFacts) -> tuple[str, str]:
    """Title and description of the in-app notification, each one line."""
    texts = texts_for(facts.locale)
    title = _title(variant, facts, texts)
    if variant == "failed":
        return title, texts.failed_notice
    pattern = texts.partial_notice if variant == "partially_succeeded" else texts.ready_notice
    description = _filled(pattern, variant, facts, texts)
    if facts.expires_at and facts.link:
        description += " " + texts.until_notice.format(when=_moment(facts.expires_at, facts, texts))
    return title, description


def _title(variant: EmailVariant, facts: MessageFacts, texts: Texts) -> str:
    if variant == "failed":
        return texts.failed_title
    if variant == "partially_succeeded":
        return texts.partial_title.format(customers=_customers(facts.failed_count, texts))
    return texts.ready_title


def _about_file(variant: EmailVariant, facts: MessageFacts, texts: Texts) -> tuple[str, ...]:
    if variant == "partially_succeeded":
        holds = [_filled(texts.holds_partly, variant, facts, texts), texts.holds_partly_hint]
    else:
        holds = [_filled(texts.holds if facts.row_count else texts.holds_nothing, variant, facts, texts)]
    if facts.truncated:
        known = facts.matched_count is not None
        total = _number(facts.matched_count or 0, texts)
        pattern = texts.first_of if known else texts.first_only
        holds.append(pattern.format(count=_number(facts.row_count, texts), total=total))
    where = [texts.attached if facts.attached else texts.linked] if web_link(facts.link) else []
    return (" ".join(holds), *where)


def _about_failure(facts: MessageFacts, texts: Texts) -> tuple[str, ...]:
    reason = one_line(facts.failure_reason or "")
    return (texts.failed, *([texts.reason.format(reason=reason)] if reason else []), texts.try_again)


def _link_note(facts: MessageFacts, texts: Texts) -> str:
    if facts.expires_at is None:
        return texts.link_note_without_end
    return texts.link_note.format(when=_moment(facts.expires_at, facts, texts))


def _warnings(facts: MessageFacts, texts: Texts) -> tuple[str, ...]:
    shown = tuple(one_line(warning) for warning in facts.warnings[:MOST_WARNINGS])
    left = len(facts.warnings) - len(shown)
    return (*shown, texts.and_more.format(count=_number(left, texts))) if left else shown


def _details(variant: EmailVariant, facts: MessageFacts, texts: Texts) -> tuple[tuple[str, str], ...]:
    reference = (texts.reference, one_line(facts.request_id))
    if variant == "failed":
        return (reference,)
    details = [(texts.file, _file(facts, texts)), (texts.in_file, _number(facts.row_count, texts))]
    if facts.failed_count:
        details.append((texts.not_exported, _number(facts.failed_count, texts)))
    if facts.expires_at and web_link(facts.link):
        details.append((texts.works_until, _moment(facts.expires_at, facts, texts)))
    return (*details, reference)


def _filled(pattern: str, variant: EmailVariant, facts: MessageFacts, texts: Texts) -> str:
    """`count` in the file, of `customers`: those asked for if some are missing, else those in the file."""
    asked = facts.row_count + (facts.failed_count if variant == "partially_succeeded" else 0)
    return pattern.format(
        file=_file(facts, texts), count=_number(facts.row_count, texts), customers=_customers(asked, texts)
    )


def _file(facts: MessageFacts, texts: Texts) -> str:
    return one_line(facts.file_name or "") or texts.file.lower()


def _customers(count: int, texts: Texts) -> str:
    return (texts.customer if count == 1 else texts.customers).format(count=_number(count, texts))


def _number(number: int, texts: Texts) -> str:
    return number_text(number, texts.language)


def _moment(instant: datetime, facts: MessageFacts, texts: Texts) -> str:
    return moment_text(instant, facts.zone, facts.zone_name, texts.language)

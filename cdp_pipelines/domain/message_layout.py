"""How an email looks: one plain layout as text and as HTML that every mail program shows alike.

Belongs here: laying out and escaping. Not here: what is said (`messages`, `message_texts`).
"""

from dataclasses import dataclass
from html import escape
from typing import Final

_PAGE: Final = """\
<!DOCTYPE html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light">
<title>{title}</title>
</head>
<body style="margin:0;padding:24px 12px;background:#f4f5f7;color:#1f2933;\
font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif;font-size:16px;line-height:1.5">
<div style="max-width:560px;margin:0 auto;padding:32px;background:#ffffff;border-radius:8px">
<h1 style="margin:0 0 16px;font-size:22px;line-height:1.3">{title}</h1>
{body}
</div>
<p style="max-width:560px;margin:16px auto 0;padding:0 32px;color:#52606d;font-size:13px">{footer}</p>
</body>
</html>
"""
_BUTTON: Final = (
    '<p style="margin:24px 0"><a href="{url}" style="display:inline-block;padding:12px 20px;background:#1a56db;'
    'color:#ffffff;text-decoration:none;border-radius:6px;font-weight:600">{label}</a></p>'
)
_LINK: Final = '<li style="word-break:break-word"><a href="{url}" style="color:#1a56db">{label}</a></li>'
_DETAIL: Final = (
    '<tr><th scope="row" style="padding:4px 16px 4px 0;text-align:left;font-weight:400;color:#52606d;'
    'vertical-align:top">{label}</th><td style="padding:4px 0;word-break:break-word">{value}</td></tr>'
)
_SMALL: Final = '<p style="margin:0 0 16px;color:#52606d;font-size:14px">{text}</p>'
_PARAGRAPH: Final = '<p style="margin:0 0 16px">{text}</p>'


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailContent:
    """What an email says, in order of reading.

    `link` and each of `more_links` are a label and a URL; `notes` is a heading and its points. `more_links` stand under
    `link`, smaller, and what `link_note` says holds for them as well.
    """

    language: str
    title: str
    paragraphs: tuple[str, ...]
    link: tuple[str, str] | None
    link_note: str
    notes: tuple[str, tuple[str, ...]]
    details: tuple[tuple[str, str], ...]
    footer: str
    more_links: tuple[tuple[str, str], ...] = ()


def as_text(content: EmailContent) -> str:
    """The plain text part."""
    blocks = [content.title, *content.paragraphs]
    if content.link:
        label, url = content.link
        blocks += [f"{label}:\n{url}", *(f"{name}:\n{address}" for name, address in content.more_links)]
        blocks.append(content.link_note)
    heading, points = content.notes
    if points:
        blocks.append("\n".join([f"{heading}:", *(f"- {point}" for point in points)]))
    blocks.append("\n".join(f"{label}: {value}" for label, value in content.details))
    return "\n\n".join([*blocks, "-- \n" + content.footer]) + "\n"


def as_html(content: EmailContent) -> str:
    """The HTML part; everything that is said is escaped."""
    parts = [_PARAGRAPH.format(text=escape(text)) for text in content.paragraphs]
    if content.link:
        label, url = content.link
        parts.append(_BUTTON.format(url=escape(url), label=escape(label)))
        if content.more_links:
            links = "".join(_LINK.format(url=escape(to), label=escape(name)) for name, to in content.more_links)
            parts.append(f'<ul style="margin:0 0 16px">{links}</ul>')
        parts.append(_SMALL.format(text=escape(content.link_note)))
    heading, points = content.notes
    if points:
        items = "".join(f"<li>{escape(point)}</li>" for point in points)
        parts.append(f'<p style="margin:0">{escape(heading)}:</p><ul style="margin:0 0 16px">{items}</ul>')
    rows = "".join(_DETAIL.format(label=escape(label), value=escape(value)) for label, value in content.details)
    parts.append(f'<table style="border-collapse:collapse;font-size:14px">{rows}</table>')
    return _PAGE.format(
        language=escape(content.language),
        title=escape(content.title),
        body="\n".join(parts),
        footer=escape(content.footer),
    )

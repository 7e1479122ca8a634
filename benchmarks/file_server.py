"""`python -m benchmarks.file_server`: a fast server of one picture of any size, `/{bytes}/...`, for `attachments.py`.

It prints its port and serves on 127.0.0.1 until its standard input ends.
"""

import asyncio
import sys
from functools import cache

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
"""How the picture begins; the rest is noise that nobody looks at."""


@cache
def answer(size: int) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: {size}\r\n\r\n".encode()
    return head + (PNG + bytes(range(256)) * (size // 256 + 1))[:size]


class Picture(asyncio.Protocol):
    """One connection, kept open."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.received = b""

    def data_received(self, data: bytes) -> None:
        self.received += data
        while b"\r\n\r\n" in self.received:
            request, _, self.received = self.received.partition(b"\r\n\r\n")
            self.transport.write(answer(int(request.split(b"/", 2)[1])))


async def serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Picture, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(serve())

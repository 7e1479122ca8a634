"""Choosing ports of 127.0.0.1 for the embedded servers.

Belongs here: finding ports nobody listens on. Not here: which server gets which (`stack`).
"""

import random
import socket
from collections.abc import Collection
from typing import Final

from cdp_pipelines.domain.errors import TransientFailure

HOST: Final = "127.0.0.1"

# Below the range from which the system picks ports for outgoing connections: a client that keeps trying to reach a
# stopped server would otherwise sooner or later be given that server's own port and keep it from coming back.
_FIRST: Final = 20_000
_LAST: Final = 32_700
_TRIES: Final = 2_000


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of 127.0.0.1 now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def free_ports(count: int, *, avoid: Collection[int] = (), shadow: int = 0) -> list[int]:
    """`count` ports in a row, free now, none of `avoid`; with `shadow` the ports that much higher are free as well.

    Raises:
        TransientFailure: `NO_FREE_PORT`.
    """
    chooser = random.SystemRandom()
    for _ in range(_TRIES):
        first = chooser.randint(_FIRST, _LAST - shadow - count)
        ports = list(range(first, first + count))
        needed = ports + [port + shadow for port in ports if shadow]
        if not any(port in avoid for port in needed) and all(is_free(port) for port in needed):
            return ports
    raise TransientFailure(
        "NO_FREE_PORT",
        f"No {count} free ports in a row between {_FIRST} and {_LAST}. Stop servers that are not needed.",
    )

"""No network while a model is built: its figures need no trained weights, and a download would hang or take minutes."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
import sys
from collections.abc import Iterator
from typing import Any

SWITCHES = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE")
"""Variables with which libraries are told that there is no network; they read them when they are imported."""


class OfflineError(OSError):
    """A connection that code of a model asks for."""


@contextlib.contextmanager
def offline() -> Iterator[None]:
    """A context in which a connection to another machine is an OfflineError at once. Files that a library has kept are
    found as ever."""
    variables = {name: os.environ.get(name) for name in SWITCHES}
    connect, find = socket.socket.connect, socket.getaddrinfo
    loaded = "huggingface_hub" in sys.modules
    constants: Any = sys.modules.get("huggingface_hub.constants")
    before = getattr(constants, "HF_HUB_OFFLINE", False)

    def connect_within(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            _check(address[0])
        connect(self, address)

    def find_within(host: Any, *args: Any, **kwargs: Any) -> Any:
        _check(host)
        return find(host, *args, **kwargs)

    os.environ.update(dict.fromkeys(SWITCHES, "1"))
    socket.socket.connect = connect_within  # type: ignore
    socket.getaddrinfo = find_within
    if constants is not None:
        constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        socket.socket.connect, socket.getaddrinfo = connect, find  # type: ignore[method-assign]
        for name, value in variables.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        constants = sys.modules.get("huggingface_hub.constants")
        if constants is not None:
            constants.HF_HUB_OFFLINE = before if loaded else (variables["HF_HUB_OFFLINE"] or "") in ("1", "true", "ON")


def _check(host: Any) -> None:
    name = host.decode() if isinstance(host, bytes) else host
    if name in (None, "", "localhost"):
        return
    try:
        if ipaddress.ip_address(name).is_loopback:
            return
    except ValueError:
        pass
    raise OfflineError(f"models are built without network, and its code asks for {name}: build it without weights")

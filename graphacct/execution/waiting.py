"""Waiting gradients: what has arrived and waits for the node that it belongs to, and the storages that it is in."""

from __future__ import annotations

from graphacct.execution.gradient_reach import Key
from graphacct.execution.kernels import Storage, Tensor


class WaitingGradients:
    """Gradients by what they are gathered by. Whether one of them is in a storage is asked at every addition, so the
    storages are counted as gradients come and go."""

    def __init__(self) -> None:
        self._gradients: dict[Key, Tensor] = {}
        self._storages: dict[Storage, int] = {}

    def __contains__(self, key: Key) -> bool:
        return key in self._gradients

    def get(self, key: Key, default: Tensor) -> Tensor:
        """Returns the gradient that waits under a key."""
        return self._gradients.get(key, default)

    def put(self, key: Key, gradient: Tensor) -> None:
        """Adds the gradient of a key that has none."""
        self._gradients[key] = gradient
        for storage in gradient.storages:
            self._storages[storage] = self._storages.get(storage, 0) + 1

    def pop(self, key: Key) -> Tensor | None:
        """Removes the gradient of a key and returns it; None if there is none."""
        gradient = self._gradients.pop(key, None)
        if gradient is not None:
            for storage in gradient.storages:
                self._storages[storage] -= 1
        return gradient

    def has_storage(self, storage: Storage) -> bool:
        """Returns whether any of the gradients is in a storage."""
        return self._storages.get(storage, 0) > 0

"""Parts of models that read and write the codes of a codec: books of codes in one table, and the codec in memory."""

from __future__ import annotations

from typing import Any

import attrs

from graphacct import Builder, DeclinedError, SubModel, Workload
from graphacct_architectures.losses import SUM
from graphacct_architectures.residing import reside


def hears(architecture: Any, key: str) -> None:
    """Raises DeclinedError for a family that reads no samples."""
    if "samples" not in architecture.sizes or "seq_len" in architecture.sizes:
        raise DeclinedError(
            f"{key}.model_type is {architecture.name!r}, which is not read as a codec here: families are that read "
            "samples"
        )


def codec_resides(codec: SubModel, name: str, workload: Workload, b: Builder) -> None:
    """Adds a codec `name` that does not run: its parameters are in memory."""
    config = codec.config
    if getattr(config, "chunk_length_s", None) is not None:  # one chunk has all of them
        config = attrs.evolve(config, chunk_length_s=None)
    own = attrs.evolve(workload, phase="forward", samples=codec.architecture.sizes["samples"](config), loss=SUM)
    aside = Builder(name, b.operators, b.dtype)
    with aside.inside(name):
        made = codec.architecture.build(config, own, aside)
    reside(b, aside.graph(made))

"""A text model of any family inside another model: the states of its encoder alone, whose names begin where the other
model says."""

from __future__ import annotations

from typing import Any

import attrs

from graphacct import Builder, DeclinedError, SubModel, Value, Workload
from graphacct_architectures.encoder_decoders.parts.description import EncoderDecoder
from graphacct_architectures.encoder_decoders.parts.run import run
from graphacct_architectures.encoders.parts.description import Encoder
from graphacct_architectures.encoders.parts.encode import encode
from graphacct_architectures.losses import SUM


def described(model: SubModel, key: str) -> Encoder | EncoderDecoder:
    """Returns the description of a text model. Raises DeclinedError, which names the key, for a family without one."""
    describe = getattr(model.architecture.build, "describe", None)
    found = None if describe is None else describe(model.config)
    if not isinstance(found, (Encoder, EncoderDecoder)):
        raise DeclinedError(
            f"{key}.model_type is {model.architecture.name!r}, which is not read here: an encoder, alone or with a "
            "decoder, is"
        )
    return found


def states(model: SubModel, key: str, workload: Workload, b: Builder, *, pooled: bool) -> tuple[Value, Value | None]:
    """Returns each text's tokens after the encoder's last layer, (batch, seq, width), and what a BERT-like encoder's
    own pooler makes of the first if the model is `pooled`; the builder is in the encoder's scope."""
    d = described(model, key)
    inner = attrs.evolve(workload, loss=SUM, image_size=None)
    if isinstance(d, EncoderDecoder):
        assert d.encoder is not None
        alone: dict[str, Any] = {"decoder": None, "head": None, "classifier": None, "module": "", "shared": ""}
        d = attrs.evolve(d, encoder=attrs.evolve(d.encoder, module=""), **alone)
        found = run(d, attrs.evolve(inner, encoder_seq_len=workload.seq_len), b)
    else:
        found = encode(attrs.evolve(d, pooled=pooled), inner, b)
    if isinstance(found, Value):
        return found, None
    return found[0], found[1]

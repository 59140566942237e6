"""VaultGemma: Gemma 2's layers without the norms after each part.

Sinha et al., 2025 (arXiv:2510.15001).
"""

from __future__ import annotations

import attrs

from graphacct import PresetFiles
from graphacct_architectures.decoders.gemma2 import Gemma2Config
from graphacct_architectures.decoders.gemma2 import describe as gemma2
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.family import decoder, written_out_alone
from graphacct_architectures.heads import ALONE, CAUSAL


def describe(config: Gemma2Config) -> Decoder:
    """Returns layers that alternate with and without a window."""
    plain = gemma2(config)
    assert not isinstance(plain.layer, Layer)
    layers = tuple(attrs.evolve(layer, attention_post_norm="", mlp_post_norm="") for layer in plain.layer)
    return attrs.evolve(plain, layer=layers)


ARCHITECTURE = decoder(
    "vaultgemma",
    Gemma2Config,
    describe,
    PresetFiles(__file__),
    inexact=written_out_alone,
    aliases={"hidden_act": "hidden_activation"},
    classes=(CAUSAL, ALONE),
    doc="VaultGemma: Gemma 2's layers without the norms after each part.",
)

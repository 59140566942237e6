"""The language model of Gemma 3: five layers with a window to one without, each kind with its own rotary positions.

Gemma Team, 2025 (arXiv:2503.19786).
"""

from __future__ import annotations

from graphacct import ConfigError, Dim, PresetFiles, fields, floor_div, frozen
from graphacct_architectures.decoders.gemma2 import Gemma2Config, sandwiched
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.family import FULL, SLIDING, decoder, kinds_of_attention, number
from graphacct_architectures.heads import ALONE, CAUSAL, SEQUENCE


@frozen(kw_only=True)
class Gemma3Config(Gemma2Config):
    """The keys of the published config.json that the cost depends on.

    Each `sliding_window_pattern`th layer sees all positions.
    """

    vocab_size: Dim = fields.size(262208)
    max_position_embeddings: Dim = fields.size(131072)
    sliding_window_pattern: Dim = fields.size(6)
    attn_logit_softcapping: float | None = number(None)
    final_logit_softcapping: float | None = number(None)

    @property
    def window(self) -> Dim | None:
        """How many positions the layers with a window see. If attention goes both ways (EmbeddingGemma): half of the
        file's value on either side, and the token itself."""
        if self.use_bidirectional_attention and self.sliding_window is not None:
            return floor_div(self.sliding_window, 2) + 1
        return self.sliding_window


def describe(config: Gemma3Config) -> Decoder:
    """Returns Gemma 2's layers, with a norm of queries and keys."""
    pattern = config.sliding_window_pattern
    if type(pattern) is not int:
        raise ConfigError(f"sliding_window_pattern is {pattern}: give a number")
    kinds = kinds_of_attention(config, lambda index: SLIDING if (index + 1) % pattern else FULL)
    tables = {kind: f"rotary_emb.{kind}" for kind in (FULL, SLIDING)}
    return sandwiched(config, kinds, rotary_tables=tables, qk_norm="head", capped=False)


ARCHITECTURE = decoder(
    "gemma3_text",
    Gemma3Config,
    describe,
    PresetFiles(__file__),
    aliases={"hidden_act": "hidden_activation"},
    classes=(CAUSAL, ALONE, SEQUENCE),
    no_cost={"_sliding_window_pattern": None},
    doc="Gemma 3's language model: a window in five of six layers, normed queries and keys, two rotary bases.",
)

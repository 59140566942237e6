"""CodeShell: GPT-2's names, shared keys and values, rotary positions.

Peking University, "CodeShell", 2023 (arXiv:2403.15747). The class stands in the model's own repository
(`modeling_codeshell.py`), not in the transformers library: names, shapes and order are that file's.
"""

from __future__ import annotations

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.description.norm import LAYER_NORM, Norm
from graphacct_architectures.decoders.parts.family import DecoderConfig, decoder
from graphacct_architectures.decoders.parts.usual import around, rotated_attention
from graphacct_architectures.heads import ALONE, CAUSAL

NORM = Norm(LAYER_NORM, bias=True)


@frozen(kw_only=True)
class CodeShellConfig(DecoderConfig):
    """The keys of the published config.json that the cost depends on."""

    vocab_size: Dim = fields.size(70144)
    num_hidden_layers: Dim = fields.size(42)
    num_key_value_heads: Dim | None = fields.optional_size(8)
    n_inner: Dim | None = fields.optional_size()
    hidden_act: str = activation("gelu_pytorch_tanh")
    max_position_embeddings: Dim = fields.size(8192)
    resid_pdrop: float = fields.probability(0.1)
    embd_pdrop: float = fields.probability(0.1)
    attention_dropout: float = fields.probability(0.1)
    group_query_attention: bool = fields.always(True)
    position_embedding_type: str = fields.choice("rope", ("rope",))


def describe(config: CodeShellConfig) -> Decoder:
    """Returns a stack of equal layers."""
    width = 4 * config.hidden_size if config.n_inner is None else config.n_inner
    operator = ACTIVATIONS[config.hidden_act]
    layer = Layer(
        rotated_attention(config, module="attn", joint="c_attn", out="c_proj", bias=True, out_bias=True),
        Mlp(width, operator, gated=False, up="c_fc", down="c_proj", bias=True),
        NORM,
        attention_norm="ln_1",
        mlp_norm="ln_2",
        dropout=config.resid_pdrop,
    )
    names = {"module": "transformer", "embedding": "wte", "stack": "h", "norm": "ln_f", "norm_kind": NORM}
    return around(config, layer, embedding_dropout=config.embd_pdrop, **names)


ARCHITECTURE = decoder(
    "codeshell",
    CodeShellConfig,
    describe,
    PresetFiles(__file__),
    aliases={
        "n_embd": "hidden_size",
        "n_layer": "num_hidden_layers",
        "n_head": "num_attention_heads",
        "n_positions": "max_position_embeddings",
        "num_query_groups": "num_key_value_heads",
        "activation_function": "hidden_act",
        "attn_pdrop": "attention_dropout",
    },
    classes=(CAUSAL, ALONE),
    no_cost=dict.fromkeys(("attention_softmax_in_fp32", "scale_attention_softmax_in_fp32", "scale_attn_weights")),
    doc="CodeShell: GPT-2's names, shared keys and values, rotary positions.",
)

"""LLaDA: OLMo's names around Llama's layers, which see the whole sequence: a diffusion model.

Nie et al., "Large Language Diffusion Models", 2025 (arXiv:2502.09992). The class stands in the model's own repository
(`modeling_llada.py`), not in the transformers library: names, shapes and order are that file's.
"""

from __future__ import annotations

from graphacct import Dim, PresetFiles, fields, frozen
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.family import DecoderConfig, decoder
from graphacct_architectures.decoders.parts.usual import around, network, rotated_attention
from graphacct_architectures.heads import CAUSAL


@frozen(kw_only=True)
class LLaDAConfig(DecoderConfig):
    """The keys of the published config.json that the cost depends on."""

    vocab_size: Dim = fields.size(126464)
    intermediate_size: Dim = fields.size(12288)
    max_position_embeddings: Dim = fields.size(4096)
    include_bias: bool = fields.always(False)
    include_qkv_bias: bool = fields.always(False)
    alibi: bool = fields.always(False)
    rope: bool = fields.always(True)
    attention_layer_norm: bool = fields.always(False)
    input_emb_norm: bool = fields.always(False)
    scale_logits: bool = fields.always(False)
    block_type: str = fields.choice("llama", ("llama",))
    layer_norm_type: str = fields.choice("rms", ("rms",))

    @property
    def ending(self) -> str:
        """Its class is the language model, whatever its name ends in."""
        return CAUSAL


def describe(config: LLaDAConfig) -> Decoder:
    """Returns a stack of equal layers, whose projections are the layer's own."""
    layer = Layer(
        rotated_attention(config, module="", out="attn_out", causal=False, unmasked=True),
        network(config, module="", gate="ff_proj", up="up_proj", down="ff_out"),
        attention_norm="attn_norm",
        mlp_norm="ff_norm",
    )
    names = {"embedding": "wte", "stack": "blocks", "norm": "ln_f", "head": "model.transformer.ff_out"}
    return around(config, layer, module="model.transformer", **names)


ARCHITECTURE = decoder(
    "llada",
    LLaDAConfig,
    describe,
    PresetFiles(__file__),
    aliases={
        "d_model": "hidden_size",
        "n_layers": "num_hidden_layers",
        "n_heads": "num_attention_heads",
        "n_kv_heads": "num_key_value_heads",
        "mlp_hidden_size": "intermediate_size",
        "max_sequence_length": "max_position_embeddings",
        "weight_tying": "tie_word_embeddings",
        "activation_type": "hidden_act",
    },
    classes=(CAUSAL,),
    no_cost=dict.fromkeys(
        (
            *("embedding_size", "mlp_ratio", "mask_token_id", "multi_query_attention", "init_cutoff_factor"),
            *("alibi_bias_max", "rope_full_precision", "bias_for_layer_norm", "flash_attention", "init_device"),
            *("layer_norm_with_affine", "attention_layer_norm_with_affine", "block_group_size", "precision"),
            *("embedding_dropout", "residual_dropout", "init_fn", "init_std"),
        )
    ),
    doc="LLaDA: Llama's layers under OLMo's names, seeing the whole sequence.",
)

"""StarCoder and SantaCoder: GPT-2's layers, one head of keys and values for all query heads.

Li et al., 2023 (arXiv:2305.06161); Ben Allal et al., 2023 (arXiv:2301.03988).
"""

from __future__ import annotations

from graphacct import Dim, PresetFiles, exact_div, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.aliases import GPT2
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.decoder import Decoder, Positions
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.description.norm import LAYER_NORM, Norm
from graphacct_architectures.decoders.parts.family import decoder
from graphacct_architectures.decoders.parts.joint import BY_HEAD, SIDE_BY_SIDE
from graphacct_architectures.heads import ALONE, CAUSAL, SEQUENCE, TOKENS, HeadConfig
from graphacct_architectures.losses import cross_entropy

NORM = Norm(LAYER_NORM, bias=True)


@frozen(kw_only=True)
class GPTBigCodeConfig(HeadConfig):
    """The keys of the published config.json that the cost depends on."""

    vocab_size: Dim = fields.size(50257)
    n_positions: Dim = fields.size(1024)
    n_embd: Dim = fields.size(768)
    n_layer: Dim = fields.size(12)
    n_head: Dim = fields.size(12)
    n_inner: Dim | None = fields.optional_size()
    activation_function: str = activation("gelu_pytorch_tanh")
    resid_pdrop: float = fields.probability(0.1)
    embd_pdrop: float = fields.probability(0.1)
    attn_pdrop: float = fields.probability(0.1)
    multi_query: bool = fields.flag(True)
    add_cross_attention: bool = fields.always(False)
    tie_word_embeddings: bool = fields.flag(True)
    dtype: str | None = fields.dtype()


def describe(config: GPTBigCodeConfig) -> Decoder:
    """Returns a stack of equal layers."""
    width, heads = config.n_embd, config.n_head
    layer = Layer(
        Attention(
            heads,
            1 if config.multi_query else heads,
            exact_div(width, heads, "n_embd / n_head"),
            module="attn",
            joint="c_attn",
            joint_order=SIDE_BY_SIDE if config.multi_query else BY_HEAD,
            out="c_proj",
            bias=True,
            out_bias=True,
            dropout=config.attn_pdrop,
        ),
        Mlp(
            4 * width if config.n_inner is None else config.n_inner,
            ACTIVATIONS[config.activation_function],
            gated=False,
            up="c_fc",
            down="c_proj",
            bias=True,
        ),
        NORM,
        attention_norm="ln_1",
        mlp_norm="ln_2",
        dropout=config.resid_pdrop,
    )
    return Decoder(
        config.vocab_size,
        width,
        layer,
        config.n_layer,
        module="transformer",
        embedding="wte",
        positions=Positions("wpe", config.n_positions),
        most_positions=("n_positions", config.n_positions),
        stack="h",
        norm="ln_f",
        norm_kind=NORM,
        tied=config.tie_word_embeddings,
        embedding_dropout=config.embd_pdrop,
    )


ARCHITECTURE = decoder(
    "gpt_bigcode",
    GPTBigCodeConfig,
    describe,
    PresetFiles(__file__),
    aliases=GPT2,
    translated=GPT2,
    context=lambda config: config.n_positions,
    dtype="float32",
    tokens="classifier",
    token_loss=cross_entropy,
    classes=(CAUSAL, ALONE, SEQUENCE, TOKENS),
    no_cost=dict.fromkeys(
        (
            "attention_softmax_in_fp32",
            "scale_attention_softmax_in_fp32",
            "scale_attn_weights",
            "summary_activation",
            "summary_first_dropout",
            "summary_proj_to_labels",
            "summary_type",
            "summary_use_proj",
            "inference_runner",
            "max_batch_size",
            "max_sequence_length",
            "pad_key_length",
            "pre_allocate_kv_cache",
            "validate_runner_input",
            "attention_type",
            "num_key_value_heads",
        )
    ),
    doc="StarCoder: GPT-2's layers, one head of keys and values.",
)

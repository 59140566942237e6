"""GPT-J: parallel attention and network on one norm, 64 dimensions of each head rotated, a head with a bias.

Wang and Komatsuzaki, 2021 (github.com/kingoflolz/mesh-transformer-jax).
"""

from __future__ import annotations

from graphacct import ConfigError, Dim, PresetFiles, exact_div, fields, frozen, has_value
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.aliases import GPT2
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.description.norm import LAYER_NORM, Norm
from graphacct_architectures.decoders.parts.family import decoder
from graphacct_architectures.decoders.parts.joint import SHARDS, SIDE_BY_SIDE
from graphacct_architectures.decoders.parts.rotary import EACH
from graphacct_architectures.heads import ALONE, CAUSAL, SEQUENCE, SPAN, HeadConfig

NORM = Norm(LAYER_NORM, bias=True)


@frozen(kw_only=True)
class GPTJConfig(HeadConfig):
    """The keys of the published config.json that the cost depends on."""

    vocab_size: Dim = fields.size(50400)
    n_positions: Dim = fields.size(2048)
    n_embd: Dim = fields.size(4096)
    n_layer: Dim = fields.size(28)
    n_head: Dim = fields.size(16)
    rotary_dim: Dim = fields.size(64)
    n_inner: Dim | None = fields.optional_size()
    activation_function: str = activation("gelu_new")
    resid_pdrop: float = fields.probability(0.0)
    embd_pdrop: float = fields.probability(0.0)
    attn_pdrop: float = fields.probability(0.0)
    tie_word_embeddings: bool = fields.flag(False)
    dtype: str | None = fields.dtype()


def describe(config: GPTJConfig, joint: str = "", *, rotary_cast: bool = True) -> Decoder:
    """Returns a stack of equal layers; `joint` is the name of one projection for q, k and v, if the family has one, and
    `rotary_cast` says whether queries and keys are rotated in the model's dtype and not in float32.

    The scores are in float32 in every dtype, and the rotary tables are made with the model.
    """
    d_head = exact_div(config.n_embd, config.n_head, "n_embd / n_head")
    if has_value(d_head) and has_value(config.rotary_dim) and config.rotary_dim > d_head:
        raise ConfigError(f"rotary_dim {config.rotary_dim} is more than the {d_head} dimensions of a head")
    layer = Layer(
        Attention(
            config.n_head,
            config.n_head,
            d_head,
            module="attn",
            joint=joint,
            joint_order=SHARDS if joint else SIDE_BY_SIDE,
            out="out_proj",
            rotary=config.rotary_dim,
            rotary_repeated=EACH,
            upcast="scores",
            dropout=config.attn_pdrop,
        ),
        Mlp(
            4 * config.n_embd if config.n_inner is None else config.n_inner,
            ACTIVATIONS[config.activation_function],
            gated=False,
            up="fc_in",
            down="fc_out",
            bias=True,
        ),
        NORM,
        attention_norm="ln_1",
        mlp_norm="",
        parallel=True,
        dropout=config.resid_pdrop,
    )
    return Decoder(
        config.vocab_size,
        config.n_embd,
        layer,
        config.n_layer,
        module="transformer",
        embedding="wte",
        stack="h",
        norm="ln_f",
        norm_kind=NORM,
        head_bias=True,
        tied=config.tie_word_embeddings,
        rotary_tables=(("rotary_emb", config.rotary_dim),),
        rotary_stored=config.n_positions,
        rotary_cast=rotary_cast,
        most_positions=("n_positions", config.n_positions),
        embedding_dropout=config.embd_pdrop,
    )


ARCHITECTURE = decoder(
    "gptj",
    GPTJConfig,
    describe,
    PresetFiles(__file__),
    aliases=GPT2,
    translated=GPT2,
    context=lambda config: config.n_positions,
    dtype="float32",
    classes=(CAUSAL, ALONE, SEQUENCE, SPAN),
    doc="GPT-J: LayerNorm, parallel layers on one norm, part of each head rotated.",
)

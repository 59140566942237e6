"""Switch Transformers: T5 whose every other layer has experts, one for each token.

Fedus et al., 2021 (arXiv:2101.03961).
"""

from __future__ import annotations

from graphacct import ConfigError, Dim, PresetFiles, Workload, fields, frozen, less
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.norm import Norm
from graphacct_architectures.decoders.parts.family import whole
from graphacct_architectures.encoder_decoders.parts.description import (
    Attention,
    EncoderDecoder,
    Head,
    Part,
    Relative,
    Stack,
)
from graphacct_architectures.encoder_decoders.parts.family import encoder_decoder
from graphacct_architectures.encoder_decoders.parts.switched import Switched

LM, MODEL, ENCODER = (f"SwitchTransformers{end}" for end in ("ForConditionalGeneration", "Model", "EncoderModel"))


@frozen(kw_only=True)
class SwitchTransformersConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(LM, (LM, MODEL, ENCODER))
    vocab_size: Dim = fields.size(32128)
    d_model: Dim = fields.size(768)
    d_kv: Dim = fields.size(64)
    d_ff: Dim = fields.size(2048)
    expert_capacity: Dim = fields.size(64)
    num_layers: Dim = fields.size(12)
    num_sparse_encoder_layers: Dim = fields.size(3, minimum=0)
    num_decoder_layers: Dim | None = fields.optional_size(12)
    num_sparse_decoder_layers: Dim = fields.size(3, minimum=0)
    encoder_sparse_step: Dim | None = fields.optional_size()
    decoder_sparse_step: Dim | None = fields.optional_size()
    num_heads: Dim = fields.size(12)
    num_experts: int = fields.size(8)
    router_bias: bool = fields.flag(False)
    router_jitter_noise: float = fields.probability(0.01)
    router_dtype: str = fields.choice("float32", ("float32", "float16", "bfloat16"))
    relative_attention_num_buckets: Dim = fields.size(32)
    dropout_rate: float = fields.probability(0.1)
    dense_act_fn: str = activation("relu")
    tie_word_embeddings: bool = fields.flag(True)
    dtype: str | None = fields.dtype()

    def __attrs_post_init__(self) -> None:
        if type(self.num_experts) is not int:
            raise ConfigError(f"num_experts is {self.num_experts}: each expert has tensors of its own, give a number")

    @property
    def decoder_layers(self) -> Dim:
        """The decoder's number of layers; as many as the encoder's unless given."""
        return self.num_layers if self.num_decoder_layers is None else self.num_decoder_layers


def sparse(count: Dim, experts: Dim, step: Dim | None, key: str) -> tuple[bool, ...]:
    """Returns which of `count` layers have experts: the second of every `step`, or all. Unless the file gives the step,
    it makes `experts` of them, rounded down; with none it is the number of layers, which makes none of one layer
    alone."""
    layers = whole(count, key)
    if step is None:
        known = whole(experts, f"sparse layers of {key}")
        step = layers // known if known > 0 else layers
    every = whole(step, "sparse step")
    return tuple(every > 0 and (every == 1 or index % every == 1) for index in range(layers))


def describe(config: SwitchTransformersConfig) -> EncoderDecoder:
    """Returns both stacks, or the encoder alone; the first layer of each has the table of biases."""
    drop, act = config.dropout_rate, ACTIVATIONS[config.dense_act_fn]

    def attention(module: str, cross: bool = False) -> Attention:
        return Attention(
            config.num_heads,
            config.d_kv,
            module,
            cross,
            q="q",
            k="k",
            v="v",
            out="o",
            bias=False,
            scaled=False,
            biased=True,
            dropout=drop,
        )

    dense = Mlp(config.d_ff, act, gated=False, module="mlp", up="wi", down="wo", dropout=drop)
    experts = Switched(
        config.num_experts,
        config.d_ff,
        act,
        config.expert_capacity,
        config.router_dtype,
        config.router_bias,
        config.router_jitter_noise,
        drop,
    )
    own, other = attention("SelfAttention"), attention("EncDecAttention", cross=True)
    table = "block.0.layer.0.SelfAttention.relative_attention_bias"

    def stack(module: str, kinds: tuple[bool, ...], *attending: Attention) -> Stack:
        def parts(has_experts: bool) -> tuple[Part, ...]:
            modules = (*attending, experts if has_experts else dense)
            return tuple(Part(item, "layer_norm", f"layer.{index}") for index, item in enumerate(modules))

        return Stack(
            parts(kinds[0]),
            len(kinds),
            module,
            "block",
            relative=Relative(table, config.relative_attention_num_buckets),
            norm="final_layer_norm",
            norm_kind=Norm(upcast="statistics"),
            last_dropout=True,
            each=tuple(map(parts, kinds)),
        )

    tied = config.tie_word_embeddings
    kinds = sparse(config.num_layers, config.num_sparse_encoder_layers, config.encoder_sparse_step, "num_layers")
    after = sparse(
        config.decoder_layers, config.num_sparse_decoder_layers, config.decoder_sparse_step, "num_decoder_layers"
    )
    return EncoderDecoder(
        config.vocab_size,
        config.d_model,
        stack("encoder", kinds, own),
        None if config.architectures == ENCODER else stack("decoder", after, own, other),
        shares=tied,
        head=Head(tied=tied, scaled=tied) if config.architectures == LM else None,
        dropout=drop,
    )


def inexact(config: SwitchTransformersConfig, workload: Workload, dtype: str) -> tuple[str, ...]:
    """Returns what depends on the data: which tokens find no room, where sequences are longer than an expert's."""
    lengths = [length for length in (workload.encoder_seq_len, workload.seq_len) if length is not None]
    if not any(less(config.expert_capacity, length, assumed=False) for length in lengths):
        return ()
    return (
        f"expert_capacity {config.expert_capacity}: which tokens of longer sequences find room depends on the data; "
        "here every expert is chosen as often as any other",
    )


ARCHITECTURE = encoder_decoder(
    "switch_transformers",
    SwitchTransformersConfig,
    describe,
    PresetFiles(__file__),
    doc="Switch Transformers: T5 whose every other layer has experts, one for each token.",
    context=lambda config: 512,
    aliases={"hidden_size": "d_model", "num_attention_heads": "num_heads", "num_hidden_layers": "num_layers"},
    inexact=inexact,
    no_cost=dict.fromkeys(
        (
            *("router_ignore_padding_tokens", "relative_attention_max_distance", "router_z_loss_coef"),
            *("router_aux_loss_coef", "add_router_probs", "initializer_factor", "feed_forward_proj", "router_type"),
            *("is_gated_act", "batch_prioritized_routing", "num_selected_experts", "n_positions"),
        )
    ),
)

"""IDEFICS: LLaMA, with gated layers before some of its own that ask what a CLIP tower saw.

Laurençon et al., 2023 (arXiv:2306.16527). Every pass needs images: a decoding step is given their tokens, and projects
them to keys and values again. What a file freezes is not trained: such a model has no phase `train` here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import attrs

from graphacct import (
    Architecture,
    Builder,
    ConfigError,
    Dim,
    PresetFiles,
    Value,
    Workload,
    equal,
    exact_div,
    fields,
    frozen,
)
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.decoders.parts.decode import decode
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.description.norm import Norm
from graphacct_architectures.decoders.parts.family import whole
from graphacct_architectures.decoders.parts.feed_forward import mlp
from graphacct_architectures.decoders.parts.norms import normed_by
from graphacct_architectures.layers import dropped, for_logits, linear, merge_heads, resident, split_heads
from graphacct_architectures.losses import CROSS_ENTROPY, SUM, check_entropy, entropy_if, next_token, total
from graphacct_architectures.multimodal import clip
from graphacct_architectures.multimodal.parts.cross import Asking, read
from graphacct_architectures.multimodal.parts.resampler import PerceiverConfig, resampled
from graphacct_architectures.residing import reside

CLASSES = ("IdeficsForVisionText2Text", "IdeficsModel")
FROZEN = ("freeze_text_layers", "freeze_vision_layers", "freeze_lm_head")


@frozen(kw_only=True)
class VisionConfig(clip.VisionConfig):
    """The tower's keys that the cost depends on; its width is `embed_dim` in published files."""

    embed_dim: Dim | None = fields.optional_size()
    intermediate_size: Dim = fields.size(5120)
    num_hidden_layers: Dim = fields.size(32)
    num_attention_heads: Dim = fields.size(16)
    patch_size: tuple[Dim, Dim] = fields.sides(14)
    hidden_act: str = activation("gelu")

    @property
    def tower(self) -> VisionConfig:
        """The same, with the width under one key."""
        return self if self.embed_dim is None else attrs.evolve(self, hidden_size=self.embed_dim)


@frozen(kw_only=True)
class IdeficsConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    vision_config: VisionConfig | None = fields.nested(VisionConfig, "idefics")
    perceiver_config: PerceiverConfig | None = fields.nested(PerceiverConfig, "idefics")
    vocab_size: Dim = fields.size(32000)
    additional_vocab_size: Dim = fields.size(0, minimum=0)
    hidden_size: Dim = fields.size(4096)
    intermediate_size: Dim = fields.size(11008)
    num_hidden_layers: Dim = fields.size(32)
    num_attention_heads: Dim = fields.size(32)
    hidden_act: str = activation("silu")
    dropout: float = fields.probability(0.0)
    max_position_embeddings: Dim = fields.size(2048)
    cross_layer_interval: int = fields.size(1)
    alpha_type: str = fields.choice("float", ("float", "vector"))
    qk_layer_norms: bool = fields.flag(False)
    use_resampler: bool = fields.flag(False)
    freeze_text_layers: bool = fields.flag(True)
    freeze_vision_layers: bool = fields.flag(True)
    freeze_lm_head: bool = fields.flag(False)
    tie_word_embeddings: bool = fields.flag(False)
    dtype: str | None = fields.dtype()

    @property
    def vision(self) -> VisionConfig:
        """The tower."""
        return (self.vision_config or VisionConfig()).tower

    @property
    def d_head(self) -> Dim:
        """The width of a head."""
        return exact_div(self.hidden_size, self.num_attention_heads, "hidden_size / num_attention_heads")


def build(config: IdeficsConfig, workload: Workload, b: Builder) -> Value:
    """Returns the graph from ids and images to logits, or to the last stream."""
    headed = config.architectures == CLASSES[0]
    check_entropy(headed, workload, config.architectures)
    if workload.images is None or equal(workload.images, 0):
        raise ConfigError("images is 0: the class of IDEFICS takes no text without an image, give 1 or more")
    frozen = [key for key in FROZEN if getattr(config, key)]
    if workload.phase == "train" and frozen:
        raise ConfigError(
            f"{frozen[0]} is true, and what a file freezes is not modelled in training; add --set {frozen[0]}=false"
        )
    root = "model." if headed else ""
    x = decode(described(config, root), workload, b, partial(merged, config, root, workload))
    assert isinstance(x, Value)
    if not headed:
        return x
    b.hold(x)
    x = for_logits(b, x, workload)
    tied = f"{root}embed_tokens.weight" if config.tie_word_embeddings else ""
    y = linear(b, "lm_head", x, config.vocab_size, bias=False, tied_to=tied)
    if equal(config.additional_vocab_size, 0):
        return y
    tied = f"{root}embed_tokens.additional_embedding.weight" if config.tie_word_embeddings else ""
    more = linear(b, "lm_head.additional_fc", x, config.additional_vocab_size, bias=False, tied_to=tied)
    logits: Value = b.apply("concat", y, more, name="logits", dim=-1)
    return logits


def described(config: IdeficsConfig, root: str) -> Decoder:
    """Returns LLaMA's layers."""
    attention = Attention(
        config.num_attention_heads,
        config.num_attention_heads,
        config.d_head,
        rotary=config.d_head,
        dropout=config.dropout,
    )
    layer = Layer(attention, network(config), dropout=config.dropout)
    return Decoder(
        config.vocab_size,
        config.hidden_size,
        layer,
        config.num_hidden_layers,
        module=root.removesuffix("."),
        rotary_tables=(("rotary_emb", config.d_head),),
        headless=True,
    )


def network(config: IdeficsConfig) -> Mlp:
    """Returns the network of a layer, of the text's own and of those that ask."""
    return Mlp(config.intermediate_size, ACTIVATIONS[config.hidden_act])


After = Callable[[Builder, Value], Value]


def merged(
    config: IdeficsConfig, root: str, workload: Workload, b: Builder, ids: Value, x: Value
) -> tuple[Value, Mapping[int, After], Mapping[str, Value]]:
    """Returns the embedded tokens, and before which of the layers the stream asks the images' tokens."""
    if not equal(config.additional_vocab_size, 0):
        name = f"{root}embed_tokens.additional_embedding"
        table = b.parameter(f"{name}.weight", (config.additional_vocab_size, config.hidden_size))
        resident(b, name, table, lookup=True)
    states = images_of(config, root, workload, b)
    batch, count, _ = states.spec.shape
    assert workload.seq_len is not None
    shape = (batch, 1, workload.seq_len, count)
    mask = b.apply("constant", name="image_mask", shape=shape, dtype=b.dtype)
    hidden = b.apply("constant", name="image_gate", shape=(batch, workload.seq_len, 1), dtype="bool")
    b.hold(states, mask, hidden)
    count = whole(config.num_hidden_layers, "num_hidden_layers")
    every = config.cross_layer_interval
    after: dict[int, After] = {}
    for place, index in enumerate(range(0, count // every * every, every)):
        after[index] = partial(asking, config, workload, place, states, mask, hidden)
    return x, after, {}


def images_of(config: IdeficsConfig, root: str, workload: Workload, b: Builder) -> Value:
    """Returns the tokens of each sequence's images beside one another, (batch, tokens, width)."""
    c, images = config.vision, workload.images
    assert images is not None
    tokens = seen(config, root, workload, Builder("images", b.operators, b.dtype)).spec.shape
    if workload.phase == "decode":
        aside = Builder("images", b.operators, b.dtype)
        reside(b, aside.graph(seen(config, root, workload, aside)))
        x = b.input("perceiver_embeddings" if config.use_resampler else "image_encoder_embeddings", tokens)
    else:
        x = seen(config, root, workload, b)
    shape = (workload.batch, images * tokens[1], c.hidden_size)
    found: Value = b.apply("reshape", x, name="image_states", shape=shape)
    return found


def seen(config: IdeficsConfig, root: str, workload: Workload, b: Builder) -> Value:
    """Returns the tokens of each image, (images, tokens, width)."""
    c = config.vision
    phase = "train" if workload.phase == "train" else "forward"
    assert workload.images is not None
    own = attrs.evolve(workload, batch=workload.batch * workload.images, phase=phase)
    with b.scope(f"{root}vision_model"):
        x = clip.finish(c, b, clip.image_states(c, own, b, "vision_config.image_size")[c.num_hidden_layers])
    if not config.use_resampler:
        return x
    with b.scope(f"{root}perceiver_resampler"):
        return resampled(config.perceiver_config or PerceiverConfig(), b, x)


def asking(
    config: IdeficsConfig,
    workload: Workload,
    place: int,
    states: Value,
    mask: Value,
    hidden: Value,
    b: Builder,
    x: Value,
) -> Value:
    """Returns the stream after a gated layer that asks the images' tokens."""
    width, heads, d_head = config.hidden_size, config.num_attention_heads, config.d_head
    kind, norm = Asking(heads, heads, d_head, dropout=config.dropout), Norm()
    with b.scope(f"gated_cross_attn_layers.{place}"):
        y = normed_by(b, "input_layernorm", x, norm)
        with b.scope("cross_attn"):
            sources = (("q", y), ("k", states), ("v", states))
            q, k, v = (
                split_heads(b, linear(b, f"{label}_proj", source, width, bias=False), heads, d_head, label)
                for label, source in sources
            )
            if config.qk_layer_norms:
                q, k = normed_by(b, "q_layer_norm", q, norm), normed_by(b, "k_layer_norm", k, norm)
            y = linear(b, "o_proj", merge_heads(b, read(kind, workload, b, q, k, v, mask)), width, bias=False)
        y = dropped(b, "cross_dropout", y, config.dropout, workload)
        shown = b.apply("expand", hidden, name="hidden_elements", shape=y.spec.shape)
        y = b.apply("masked_fill", y, shown, name="shown")
        x = b.apply("add", x, gated(config, b, "alpha_cross_attn", y), name="cross_residual")
        y = normed_by(b, "post_attention_layernorm", x, norm)
        with b.scope("mlp"):
            y = mlp(network(config), b, y)
        y = dropped(b, "mlp_dropout", y, config.dropout, workload)
        found: Value = b.apply("add", x, gated(config, b, "alpha_dense", y), name="mlp_residual")
    return found


def gated(config: IdeficsConfig, b: Builder, name: str, x: Value) -> Value:
    """Returns x times the tanh of a learned number, or of one for each element of the width."""
    shape = (1,) if config.alpha_type == "float" else (1, 1, config.hidden_size)
    gate = b.apply("tanh", b.parameter(name, shape), name=f"{name}_tanh")
    found: Value = b.apply("mul", gate, x, name=f"{name}_applied")
    return found


def inexact(config: IdeficsConfig, workload: Workload, dtype: str) -> tuple[str, ...]:
    """Returns what is not equal to the library's saved tensors."""
    return ("saved tensors have rotary tables once, which the library's layers each make",)


ARCHITECTURE = Architecture(
    "idefics",
    IdeficsConfig,
    build,
    PresetFiles(__file__),
    sizes={
        "seq_len": lambda config: config.max_position_embeddings,
        "images": lambda config: 1,
        "image_size": lambda config: config.vision.image_size,
    },
    attention=("fused", "eager"),
    phases=("forward", "train", "prefill", "decode"),
    last_logits=True,
    aliases={"torch_dtype": "dtype"},
    no_cost=dict.fromkeys(
        (
            *("alpha_initializer", "alphas_initializer_range", "freeze_text_module_exceptions", "word_embed_proj_dim"),
            *("freeze_vision_module_exceptions", "rope_parameters", "rope_scaling", "use_resampler"),
        )
    ),
    inexact=inexact,
    losses={CROSS_ENTROPY: next_token, SUM: total},
    default_loss=lambda config: entropy_if(config.architectures == CLASSES[0]),
    model_types=("idefics",),
    doc="IDEFICS: LLaMA, with gated layers that ask what a CLIP tower saw.",
)

"""TimeSformer: attention over time and over space, one after the other (Bertasius et al., 2021, arXiv:2102.05095)."""

from __future__ import annotations

from functools import partial

from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders import Mlp
from graphacct_architectures.layers import activation as activated
from graphacct_architectures.layers import drop_path, dropped, layer_norm, linear
from graphacct_architectures.losses import LOSSES, check_entropy, entropy_if
from graphacct_architectures.tower import Tower, attention, patch_count, patches

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
    floor_div,
    frozen,
)
from graphacct_vision.parts.stages import repeated
from graphacct_vision.videos.video import Video, given

CLASSES = ("TimesformerModel", "TimesformerForVideoClassification")
DIVIDED, SPACE, JOINT = "divided_space_time", "space_only", "joint_space_time"


@frozen(kw_only=True)
class TimesformerConfig(Video):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    num_frames: Dim = fields.size(8)
    patch_size: Dim = fields.size(16)
    qkv_bias: bool = fields.flag(True)
    attention_type: str = fields.choice(DIVIDED, (DIVIDED, SPACE, JOINT))
    drop_path_rate: float = fields.probability(0.0)

    def __attrs_post_init__(self) -> None:
        if self.attention_type == SPACE and self.architectures == CLASSES[1]:
            raise ConfigError(
                "attention_type space_only gives each frame its own logits, which the library's class does not "
                "average: take TimesformerModel"
            )


def build(config: TimesformerConfig, workload: Workload, b: Builder) -> Value:
    """Returns the graph from a video to its tokens, or to logits."""
    check_entropy(config.labelled, workload, config.architectures)
    pixels = given(config, workload, b)
    if config.architectures == CLASSES[0]:
        return encoded(config, workload, b, pixels)
    with b.scope("timesformer"):
        x = encoded(config, workload, b, pixels)
    x = b.apply("select", x, name="first", dim=1)
    return x if equal(config.num_labels, 0) else linear(b, "classifier", x, config.num_labels)


def encoded(config: TimesformerConfig, workload: Workload, b: Builder, pixels: Value) -> Value:
    """Returns the tokens after all layers, normalized."""
    with b.scope("embeddings"):
        x = embedded(config, workload, b, pixels)
    body = layer_divided if config.attention_type == DIVIDED else layer
    first, other = (partial(body, config, workload, rate) for rate in (0.0, config.drop_path_rate))  # it grows from 0
    x = repeated("encoder.layer", config.num_hidden_layers, first, other, b, x)
    return layer_norm(b, "layernorm", x)


def embedded(config: TimesformerConfig, workload: Workload, b: Builder, pixels: Value) -> Value:
    """Returns the tokens of all frames' patches behind one class token; of each frame alone for `space_only`."""
    batch, frames, channels, height, across = pixels.spec.shape
    width, step = config.hidden_size, (config.patch_size, config.patch_size)
    with b.scope("patch_embeddings"):
        x = b.apply("reshape", pixels, name="frames", shape=(batch * frames, channels, height, across))
        x = patches(b, "projection", x, width, step, bias=True)
    count = patch_count(config.image_size, step)
    token = b.apply("expand", b.parameter("cls_token", (1, 1, width)), name="cls", shape=(batch * frames, 1, width))
    x = b.apply("concat", token, x, name="with_cls", dim=1)
    x = b.apply("add", x, b.parameter("position_embeddings", (1, count + 1, width)), name="with_positions")
    x = dropped(b, "pos_drop", x, config.hidden_dropout_prob, workload)
    if config.attention_type == SPACE:
        return x
    first = b.apply("slice", x, name="first_frames", dim=0, start=0, length=batch)
    first = b.apply("slice", first, name="cls_tokens", dim=1, start=0, length=1)
    x = b.apply("slice", x, name="patches", dim=1, start=1, length=count)
    x = b.apply("reshape", x, name="by_frame", shape=(batch, frames, count, width))
    x = b.apply("permute", x, name="places_first", dims=(0, 2, 1, 3))
    x = b.apply("reshape", x, name="by_place", shape=(batch * count, frames, width))
    x = b.apply("add", x, b.parameter("time_embeddings", (1, frames, width)), name="with_times")
    x = dropped(b, "time_drop", x, config.hidden_dropout_prob, workload)
    x = b.apply("reshape", x, name="together", shape=(batch, count * frames, width))
    return b.apply("concat", first, x, name="tokens", dim=1)


def layer(config: TimesformerConfig, workload: Workload, rate: float, b: Builder, x: Value) -> Value:
    """Returns x after attention among all tokens and a network of one hidden layer."""
    b.hold(x)
    y = seen(config, workload, b, "attention", layer_norm(b, "layernorm_before", x))
    x = b.apply("add", x, drop_path(b, "attn_drop_path", y, rate, workload), name="attn_residual")
    return network(config, workload, rate, b, x)


def layer_divided(config: TimesformerConfig, workload: Workload, rate: float, b: Builder, x: Value) -> Value:
    """Returns x (batch, 1 + places * frames, width) after attention of each place over time, of each frame over space
    and a network of one hidden layer."""
    batch, tokens, width = x.spec.shape
    frames = config.num_frames
    count = floor_div(tokens - 1, frames)
    b.hold(x)
    rest = b.apply("slice", x, name="patches", dim=1, start=1, length=tokens - 1)
    y = b.apply("reshape", rest, name="over_time", shape=(batch * count, frames, width))
    y = seen(config, workload, b, "temporal_attention", layer_norm(b, "temporal_layernorm", y))
    y = drop_path(b, "time_drop_path", y, rate, workload)
    y = b.apply("reshape", y, name="over_time_flat", shape=(batch, count * frames, width))
    rest = b.apply("add", rest, linear(b, "temporal_dense", y, width), name="time_residual")
    token = b.apply("slice", x, name="cls", dim=1, start=0, length=1)
    each = b.apply("repeat", token, name="cls_of_frames", times=(1, frames, 1))
    each = b.apply("reshape", each, name="cls_by_frame", shape=(batch * frames, 1, width))
    y = b.apply("reshape", rest, name="by_place", shape=(batch, count, frames, width))
    y = b.apply("permute", y, name="frames_first", dims=(0, 2, 1, 3))
    y = b.apply("reshape", y, name="over_space", shape=(batch * frames, count, width))
    y = b.apply("concat", each, y, name="over_space_cls", dim=1)
    y = seen(config, workload, b, "attention", layer_norm(b, "layernorm_before", y))
    y = drop_path(b, "space_drop_path", y, rate, workload)
    own = b.apply("select", y, name="cls_seen", dim=1)
    own = b.apply("reshape", own, name="cls_seen_by_frame", shape=(batch, frames, width))
    own = b.apply("mean", own, name="cls_mean", dim=1, keepdim=True)
    y = b.apply("slice", y, name="patches_seen", dim=1, start=1, length=count)
    y = b.apply("reshape", y, name="seen_by_frame", shape=(batch, frames, count, width))
    y = b.apply("permute", y, name="seen_by_place", dims=(0, 2, 1, 3))
    y = b.apply("reshape", y, name="seen_flat", shape=(batch, count * frames, width))
    stream = b.apply("concat", token, rest, name="stream", dim=1)
    x = b.apply("add", stream, b.apply("concat", own, y, name="read", dim=1), name="space_residual")
    return network(config, workload, rate, b, x)


def seen(config: TimesformerConfig, workload: Workload, b: Builder, name: str, x: Value) -> Value:
    """Returns attention among the tokens of x (sequences, tokens, width)."""
    kind = Tower(
        config.num_hidden_layers,
        config.num_attention_heads,
        Mlp(config.intermediate_size, ACTIVATIONS[config.hidden_act]),
        stack="layer",
        attention=name,
        out="output.dense",
        norms=("layernorm_before", "layernorm_after"),
        bias=config.qkv_bias,
        attention_dropout=config.attention_probs_dropout_prob,
        joint="qkv",
        inner="attention",
        out_dropout=config.hidden_dropout_prob,
        softmax_upcast=False,
    )
    d_head = exact_div(config.hidden_size, config.num_attention_heads, "hidden_size / num_attention_heads")
    with b.scope(name):
        return attention(kind, d_head, workload, b, x, None)[0]


def network(config: TimesformerConfig, workload: Workload, rate: float, b: Builder, x: Value) -> Value:
    """Returns x with the output of a network of one hidden layer added."""
    y = linear(b, "intermediate.dense", layer_norm(b, "layernorm_after", x), config.intermediate_size)
    y = activated(b, ACTIVATIONS[config.hidden_act], y)
    y = dropped(b, "intermediate.dropout", y, config.hidden_dropout_prob, workload)
    y = dropped(
        b, "output.dropout", linear(b, "output.dense", y, config.hidden_size), config.hidden_dropout_prob, workload
    )
    return b.apply("add", x, drop_path(b, "mlp_drop_path", y, rate, workload), name="mlp_residual")


ARCHITECTURE = Architecture(
    "timesformer",
    TimesformerConfig,
    build,
    PresetFiles(__file__),
    sizes={"image_size": lambda config: config.image_size, "frames": lambda config: config.num_frames},
    attention=("fused", "eager"),
    dtype="float32",
    aliases={"torch_dtype": "dtype", **fields.LABELS},
    model_types=("timesformer",),
    losses=LOSSES,
    default_loss=lambda config: entropy_if(config.labelled),
    doc="TimeSformer: attention over time, then over space; --frames says how many a video has.",
)

"""V-JEPA 2: a ViT over cuboids of a video, and one that predicts them from each other (Assran et al., 2025,
arXiv:2506.09985)."""

from __future__ import annotations

from functools import partial

from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.decoders import Mlp
from graphacct_architectures.layers import activation as activated
from graphacct_architectures.layers import drop_path, layer_norm, linear, merge_heads, resident, split_heads
from graphacct_architectures.losses import LOSSES, check_entropy, classes, entropy_if
from graphacct_architectures.tower import Tower, attended

from graphacct import (
    Architecture,
    Builder,
    ConfigError,
    Dim,
    PresetFiles,
    Value,
    Workload,
    exact_div,
    fields,
    frozen,
    has_value,
    prod,
)
from graphacct_vision.parts.windows import ratio, times

CLASSES = ("VJEPA2Model", "VJEPA2ForVideoClassification")
AXES = 3


@frozen(kw_only=True)
class VJEPA2Config:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    patch_size: int = fields.size(16)
    crop_size: int = fields.size(256)
    frames_per_clip: int = fields.size(64)
    tubelet_size: int = fields.size(2)
    hidden_size: Dim = fields.size(1024)
    in_chans: Dim = fields.size(3)
    num_attention_heads: Dim = fields.size(16)
    num_hidden_layers: int = fields.size(24)
    drop_path_rate: float = fields.probability(0.0)
    mlp_ratio: float = ratio(4.0)
    qkv_bias: bool = fields.flag(True)
    attention_probs_dropout_prob: float = fields.probability(0.0)
    hidden_act: str = activation("gelu")
    attention_dropout: float = fields.probability(0.0)
    num_pooler_layers: int = fields.size(3, minimum=0)
    pred_hidden_size: Dim = fields.size(384)
    pred_num_attention_heads: Dim = fields.size(12)
    pred_num_hidden_layers: int = fields.size(12)
    pred_num_mask_tokens: int = fields.size(10)
    pred_mlp_ratio: float = ratio(4.0)
    num_labels: Dim = fields.label_count()
    dtype: str | None = fields.dtype()

    @property
    def labelled(self) -> bool:
        """Whether the model has logits of classes."""
        return self.architectures == CLASSES[1] and classes(self.num_labels)


def build(config: VJEPA2Config, workload: Workload, b: Builder) -> Value:
    """Returns the graph from a video to its tokens, which the predictor reads too, or to logits."""
    check_entropy(config.labelled, workload, config.architectures)
    if config.architectures == CLASSES[0]:
        x = encoded(config, workload, b)
        with b.scope("predictor"):
            predicted(config, workload, b, x)
        return x
    with b.scope("vjepa2"):
        x = encoded(config, workload, b)
        with b.scope("predictor"):
            idle(config, b)
    with b.scope("pooler"):
        x = pooled(config, workload, b, x)
    return linear(b, "classifier", x, config.num_labels)


def encoded(config: VJEPA2Config, workload: Workload, b: Builder) -> Value:
    """Returns the tokens after all layers, normalized."""
    assert workload.image_size is not None  # the architecture declares its default
    assert workload.frames is not None
    frames, width = workload.frames, config.hidden_size
    pixels = b.input("pixel_values_videos", (workload.batch, frames, config.in_chans, *workload.image_size))
    with b.scope("encoder"):
        with b.scope("embeddings"):
            x = b.apply("permute", pixels, name="channels_first", dims=(0, 2, 1, 3, 4))
            if has_value(frames) and frames < config.tubelet_size:
                x = b.apply("repeat", x, name="frames_repeated", times=(1, 1, config.tubelet_size, 1, 1))
            size = (config.tubelet_size, config.patch_size, config.patch_size)
            weight = b.parameter("patch_embeddings.proj.weight", (width, config.in_chans, *size))
            bias = b.parameter("patch_embeddings.proj.bias", (width,))
            x = b.apply("convolution", x, weight, bias, name="patch_embeddings.proj", stride=size)
            batch, _, *places = x.spec.shape
            x = b.apply("reshape", x, name="flat", shape=(batch, width, prod(places)))
            x = b.apply("transpose", x, name="tokens", dims=(1, 2))
        body = partial(
            layer, config, workload, config.num_attention_heads, config.mlp_ratio, config.qkv_bias, each=False
        )
        x = stacked(config, config.num_hidden_layers, body, b, x)
        return layer_norm(b, "layernorm", x)


def stacked(config: VJEPA2Config, count: int, body: partial[Value], b: Builder, x: Value) -> Value:
    """Returns x after equal layers; the chance of dropping a branch grows from 0."""
    with b.scope("layer.0"):
        x = body(0.0, b, x)
    rest = partial(body, config.drop_path_rate)
    return b.repeat("layer", count - 1, rest, x, start=1) if count > 1 else x


def layer(
    config: VJEPA2Config,
    workload: Workload,
    heads: Dim,
    wider: float,
    bias: bool,
    chance: float,
    b: Builder,
    x: Value,
    *,
    each: bool,
) -> Value:
    """Returns the tokens after a layer. `each` says that every token of every video has a place of its own."""
    y = layer_norm(b, "norm1", x)
    with b.scope("attention"):
        y = attention(config, workload, b, y, heads, bias, each)
    x = b.apply("add", drop_path(b, "attn_drop_path", y, chance, workload), x, name="attn_residual")
    y = network(config, b, layer_norm(b, "norm2", x), wider)
    return b.apply("add", drop_path(b, "mlp_drop_path", y, chance, workload), x, name="mlp_residual")


def network(config: VJEPA2Config, b: Builder, x: Value, wider: float) -> Value:
    """Returns the output of a network of one hidden layer."""
    width = x.spec.shape[-1]
    with b.scope("mlp"):
        y = activated(b, ACTIVATIONS[config.hidden_act], linear(b, "fc1", x, times(width, wider)), "activation")
        return linear(b, "fc2", y, width)


def kind_of(heads: Dim, dropout: float) -> Tower:
    """Returns what attention is."""
    none = Mlp(1, "relu")
    return Tower(1, heads, none, "", "", "proj", ("", ""), attention_dropout=dropout, softmax_upcast=False)


def attention(
    config: VJEPA2Config, workload: Workload, b: Builder, x: Value, heads: Dim, bias: bool, each: bool
) -> Value:
    """Returns attention among tokens; a third of each head's width is rotated by the frame, the row and the column."""
    width = x.spec.shape[-1]
    d_head = exact_div(width, heads, "width / attention heads")
    q, k, v = (
        split_heads(b, linear(b, name, x, width, bias=bias), heads, d_head, name) for name in ("query", "key", "value")
    )
    q, k = (rotated(b, part, label, each) for part, label in ((q, "query"), (k, "key")))
    b.hold(q, k, v)
    y, _ = attended(kind_of(heads, config.attention_probs_dropout_prob), workload, b, q, k, v, None)
    return linear(b, "proj", merge_heads(b, y), width)


def rotated(b: Builder, x: Value, label: str, each: bool) -> Value:
    """Returns x (batch, heads, tokens, d_head), three equal parts of whose heads are rotated by three places."""
    batch, heads, tokens, d_head = x.spec.shape
    if type(d_head) is not int:
        raise ConfigError("hidden_size and num_attention_heads are integers: a third of a head is rotated by each axis")
    part = 2 * (d_head // AXES // 2)
    rest = d_head - AXES * part
    sizes = (*(part,) * AXES, *((rest,) if rest else ()))
    pieces = list(b.apply("split", x, name=f"{label}_axes", sizes=sizes, dim=-1))
    shape = (batch if each else 1, heads if each else 1, tokens, part)
    for axis in range(AXES):
        word = f"{label}_{axis}"
        cosine, sine = (
            b.apply("constant", name=f"{word}_{turn}", shape=shape, dtype=b.dtype) for turn in ("cos", "sin")
        )
        pairs = b.apply("reshape", pieces[axis], name=f"{word}_pairs", shape=(batch, heads, tokens, part // 2, 2))
        first, second = (b.apply("select", pairs, name=f"{word}_{side}", dim=-1, index=side) for side in (0, 1))
        turned = b.apply("stack", b.apply("neg", second, name=f"{word}_negative"), first, name=f"{word}_stacked")
        turned = b.apply("permute", turned, name=f"{word}_pairs_last", dims=(1, 2, 3, 4, 0))
        turned = b.apply("contiguous", turned, name=f"{word}_turned")
        turned = b.apply("reshape", turned, name=f"{word}_flat", shape=(batch, heads, tokens, part))
        y = b.apply("mul", pieces[axis], cosine, name=f"{word}_by_cos")
        pieces[axis] = b.apply("add", y, b.apply("mul", turned, sine, name=f"{word}_by_sin"), name=f"{word}_rotated")
    return b.apply("concat", *pieces, name=f"{label}_rotated", dim=-1)


def predicted(config: VJEPA2Config, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns what the predictor says of all tokens, which all of them are given to; a mask may leave some out."""
    batch, count, width = x.spec.shape
    narrow = config.pred_hidden_size
    x = taken(b, x, "context_masked")
    with b.scope("embeddings"):
        y = linear(b, "predictor_embeddings", x, narrow)
        table = b.parameter("mask_tokens", (config.pred_num_mask_tokens, 1, 1, narrow))
        target = b.apply("select", table, name="mask_token", dim=0, index=1 % config.pred_num_mask_tokens)
        target = taken(b, b.apply("repeat", target, name="targets", times=(batch, count, 1)), "targets_masked")
        y = b.apply("concat", y, target, name="both", dim=1)
    y = taken(b, y, "sorted")
    heads, wider = config.pred_num_attention_heads, config.pred_mlp_ratio
    body = partial(layer, config, workload, heads, wider, config.qkv_bias, each=True)
    y = stacked(config, config.pred_num_hidden_layers, body, b, y)
    y = taken(b, layer_norm(b, "layernorm", y), "unsorted")
    y = b.apply("slice", y, name="of_targets", dim=1, start=count, length=count)
    return linear(b, "proj", y, width)


def taken(b: Builder, x: Value, name: str) -> Value:
    """Returns the tokens at places that a mask or an order gives: here all of them."""
    index = b.apply("full", name=f"{name}_places", shape=x.spec.shape, dtype="int64")
    found: Value = b.apply("gather", x, index, name=name, dim=1)
    return found


def idle(config: VJEPA2Config, b: Builder) -> None:
    """Adds the predictor, which a classifier does not run."""
    width, narrow = config.hidden_size, config.pred_hidden_size
    hidden = times(narrow, config.pred_mlp_ratio)
    resident(b, "mask_tokens", b.parameter("embeddings.mask_tokens", (config.pred_num_mask_tokens, 1, 1, narrow)))

    def unread(b: Builder, name: str, *shape: Dim, bias: bool = True) -> None:
        parts = [b.parameter(f"{name}.weight", shape)]
        parts += [b.parameter(f"{name}.bias", shape[:1])] if bias else []
        resident(b, name, *parts)

    unread(b, "embeddings.predictor_embeddings", narrow, width)
    for index in range(config.pred_num_hidden_layers):
        with b.scope(f"layer.{index}"):
            for name in ("norm1", "norm2"):
                unread(b, name, narrow)
            for name in ("query", "key", "value"):
                unread(b, f"attention.{name}", narrow, narrow, bias=config.qkv_bias)
            unread(b, "attention.proj", narrow, narrow)
            unread(b, "mlp.fc1", hidden, narrow)
            unread(b, "mlp.fc2", narrow, hidden)
    unread(b, "layernorm", narrow)
    unread(b, "proj", width, narrow)


def pooled(config: VJEPA2Config, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns what one learned query reads of the tokens after further layers, (batch, width)."""
    batch, _, width = x.spec.shape
    heads = config.num_attention_heads

    def added(b: Builder, x: Value, y: Value) -> Value:
        x = b.apply("add", x, y, name="attn_residual")
        return b.apply("add", x, network(config, b, layer_norm(b, "layer_norm2", x), 4.0), name="mlp_residual")

    for index in range(config.num_pooler_layers):
        with b.scope(f"self_attention_layers.{index}"):
            y = layer_norm(b, "layer_norm1", x)
            with b.scope("self_attn"):
                y = linear(b, "out_proj", read(config, workload, b, y, y, heads), width)
            x = added(b, x, y)
    query = b.apply("repeat", b.parameter("query_tokens", (1, 1, width)), name="queries", times=(batch, 1, 1))
    with b.scope("cross_attention_layer"):
        y = layer_norm(b, "layer_norm1", x)
        with b.scope("cross_attn"):
            y = read(config, workload, b, query, y, heads)
        x = added(b, query, y)
    return b.apply("reshape", x, name="pooled", shape=(batch, width))


def read(config: VJEPA2Config, workload: Workload, b: Builder, x: Value, memory: Value, heads: Dim) -> Value:
    """Returns attention of x to the memory, before its output projection."""
    width = x.spec.shape[-1]
    d_head = exact_div(width, heads, "hidden_size / num_attention_heads")
    q, k, v = (
        split_heads(b, linear(b, f"{label}_proj", part, width), heads, d_head, label)
        for label, part in (("q", x), ("k", memory), ("v", memory))
    )
    y, _ = attended(kind_of(heads, config.attention_dropout), workload, b, q, k, v, None)
    return merge_heads(b, y)


ARCHITECTURE = Architecture(
    "vjepa2",
    VJEPA2Config,
    build,
    PresetFiles(__file__),
    sizes={
        "image_size": lambda config: (config.crop_size, config.crop_size),
        "frames": lambda config: config.frames_per_clip,
    },
    attention=("fused", "eager"),
    dtype="float32",
    aliases={"torch_dtype": "dtype", **fields.LABELS},
    no_cost={"pred_zero_init_mask_tokens": None},
    model_types=("vjepa2",),
    losses=LOSSES,
    default_loss=lambda config: entropy_if(config.labelled),
    doc="V-JEPA 2: a ViT over cuboids of a video, and one that predicts them; --frames says how many frames it has.",
)

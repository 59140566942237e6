"""LeViT: a stem of convolutions, then attention whose stages shrink (Graham et al., 2021, arXiv:2104.01136)."""

from __future__ import annotations

from typing import Any

from graphacct_architectures.derived import agree, derived
from graphacct_architectures.layers import drop_path, linear
from graphacct_architectures.losses import LOSSES, check_entropy, classes, entropy_if

from graphacct import Architecture, Builder, ConfigError, Dim, PresetFiles, Value, Workload, equal, fields, frozen
from graphacct_vision.parts.backbones import ALIASES
from graphacct_vision.parts.layers import batch_norm, conv_norm
from graphacct_vision.parts.lists import check_stages, naturals

CLASSES = tuple(f"Levit{end}" for end in ("Model", "ForImageClassification", "ForImageClassificationWithTeacher"))
STAGES = 3
SHRUNK_RATIO, SHRUNK_MLP, SHRUNK_STRIDE = 4, 2, 2
"""Of attention between two stages: how much wider values are than keys, and the network after it."""


@frozen(kw_only=True)
class LevitConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    image_size: int = fields.size(224)
    num_channels: Dim = fields.size(3)
    kernel_size: int = fields.size(3)
    stride: int = fields.size(2)
    padding: int = fields.size(1, minimum=0)
    patch_size: int = fields.size(16)
    hidden_sizes: tuple[int, ...] = fields.counts((128, 256, 384), STAGES)
    num_attention_heads: tuple[int, ...] = fields.counts((4, 8, 12), STAGES)
    depths: tuple[int, ...] = fields.counts((4, 4, 4), STAGES)
    key_dim: tuple[int, ...] = fields.counts((16, 16, 16), STAGES)
    drop_path_rate: float = fields.probability(0.0)
    mlp_ratio: tuple[int, ...] = naturals((2, 2, 2))
    attention_ratio: tuple[int, ...] = fields.counts((2, 2, 2), STAGES)
    down_ops: Any = derived()
    num_labels: Dim = fields.label_count()
    dtype: str | None = fields.dtype()

    def __attrs_post_init__(self) -> None:
        check_stages(STAGES, mlp_ratio=self.mlp_ratio)
        key = self.key_dim[0]
        made = [("Subsample", key, width // key, 4, 2, 2) for width in self.hidden_sizes[:-1]]
        agree("down_ops", self.down_ops, made)

    @property
    def labelled(self) -> bool:
        """Whether the model has logits of classes."""
        return "ForImageClassification" in self.architectures and classes(self.num_labels)


def build(config: LevitConfig, workload: Workload, b: Builder) -> Value | tuple[Value, ...]:
    """Returns the graph from pixels to logits, or to the last stage's tokens and their mean."""
    check_entropy(config.labelled, workload, config.architectures)
    assert workload.image_size is not None  # the architecture declares its default
    pixels = b.input("pixel_values", (workload.batch, config.num_channels, *workload.image_size))
    if config.architectures == CLASSES[0]:
        x = encoded(config, workload, b, pixels)
        return x, b.apply("mean", x, name="pooled", dim=1)
    with b.scope("levit"):
        x = encoded(config, workload, b, pixels)
        b.apply("mean", x, name="pooled", dim=1)  # of the bare model, whose output is not read
    x = b.apply("mean", x, name="mean", dim=1)
    logits = labelled(config, workload, b, "classifier", x)
    if config.architectures == CLASSES[1]:
        return logits
    other = labelled(config, workload, b, "classifier_distill", x)
    return b.apply("scale", b.apply("add", logits, other, name="both"), name="logits")


def labelled(config: LevitConfig, workload: Workload, b: Builder, name: str, x: Value) -> Value:
    """Returns logits of the normalized mean, or the mean where there are no labels."""
    if equal(config.num_labels, 0):
        return x
    with b.scope(name):
        x = normed(b, "batch_norm", x, training=workload.phase == "train")
        return linear(b, "linear", x, config.num_labels)


def normed(b: Builder, name: str, x: Value, *, training: bool) -> Value:
    """Applies torch.nn.BatchNorm1d to rows (rows, channels)."""
    return batch_norm(b, name, x, training=training)


def projected(b: Builder, name: str, x: Value, width: Dim, workload: Workload) -> Value:
    """Returns tokens (batch, seq, width) after a linear layer without bias and a batch norm."""
    with b.scope(name):
        x = linear(b, "linear", x, width, bias=False)
        batch, seq, _ = x.spec.shape
        y = b.apply("reshape", x, name="rows", shape=(batch * seq, width))
        y = normed(b, "batch_norm", y, training=workload.phase == "train")
        return b.apply("reshape", y, name="tokens", shape=(batch, seq, width))


def encoded(config: LevitConfig, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns the last stage's tokens."""
    width, training = config.hidden_sizes[0], workload.phase == "train"
    with b.scope("patch_embeddings"):
        for index, factor in enumerate((8, 4, 2, 1), 1):
            x = conv_norm(
                b,
                f"embedding_layer_{index}",
                x,
                width // factor,
                config.kernel_size,
                stride=config.stride,
                padding=config.padding,
                training=training,
                act="",
                parts=("convolution", "batch_norm"),
            )
            x = x if factor == 1 else b.apply("hardswish", x, name=f"activation_layer_{index}")
        batch, _, rows, columns = x.spec.shape
        x = b.apply("reshape", x, name="flat", shape=(batch, width, rows * columns))
        x = b.apply("transpose", x, name="tokens", dims=(1, 2))
    side = config.image_size // config.patch_size
    if not (equal(rows, side) and equal(columns, side)):
        raise ConfigError(
            f"the stem hands on {rows}x{columns} places, but image_size {config.image_size} / patch_size "
            f"{config.patch_size} is {side}, for which the model has learned biases; add --set image_size=…"
        )
    with b.scope("encoder.stages"):
        for stage in range(STAGES):
            with b.scope(f"{stage}.layers"):
                x, side = staged(config, workload, b, x, stage, side)
    return x


def staged(config: LevitConfig, workload: Workload, b: Builder, x: Value, stage: int, side: int) -> tuple[Value, int]:
    """Returns the tokens after a stage's layers and the attention that shrinks them, and the new grid's side."""
    place = 0
    keys, heads, ratio = config.key_dim[stage], config.num_attention_heads[stage], config.attention_ratio[stage]
    for _ in range(config.depths[stage]):
        with b.scope(f"{place}.module"):
            y = attention(workload, b, x, x, keys, heads, ratio, x.spec.shape[-1], side**2)
        x = joined(config, workload, b, x, y, place)
        place += 1
        if config.mlp_ratio[stage]:
            x = widened(config, workload, b, x, place, config.mlp_ratio[stage])
            place += 1
    if stage + 1 == STAGES:
        return x, side
    keys, width = config.key_dim[0], config.hidden_sizes[stage + 1]
    heads = config.hidden_sizes[stage] // keys
    less = (side - 1) // SHRUNK_STRIDE + 1
    apart = len({abs(SHRUNK_STRIDE * to - at) for to in range(less) for at in range(side)})
    with b.scope(f"{place}"):
        batch, _, channels = x.spec.shape
        few = b.apply("reshape", x, name="map", shape=(batch, side, side, channels))
        for dim, name in ((1, "rows"), (2, "columns")):
            few = b.apply("slice", few, name=f"every_other_{name}", dim=dim, start=0, length=less)
        few = b.apply("contiguous", few, name="fewer")
        few = b.apply("reshape", few, name="queries_from", shape=(batch, less**2, channels))
        x = attention(workload, b, few, x, keys, heads, SHRUNK_RATIO, width, apart**2)
    return widened(config, workload, b, x, place + 1, SHRUNK_MLP), less


def joined(config: LevitConfig, workload: Workload, b: Builder, x: Value, y: Value, place: int) -> Value:
    """Returns the stream with a branch added, which training drops by chance."""
    y = drop_path(b, f"drop_path_{place}", y, config.drop_path_rate, workload)
    return b.apply("add", x, y, name=f"residual_{place}")


def widened(config: LevitConfig, workload: Workload, b: Builder, x: Value, place: int, ratio: int) -> Value:
    """Returns the stream with the output of a network of one hidden layer added."""
    width = x.spec.shape[-1]
    with b.scope(f"{place}.module"):
        y = b.apply("hardswish", projected(b, "linear_up", x, ratio * width, workload), name="activation")
        y = projected(b, "linear_down", y, width, workload)
    return joined(config, workload, b, x, y, place)


def attention(
    workload: Workload, b: Builder, few: Value, x: Value, keys: int, heads: int, ratio: int, width: Dim, apart: int
) -> Value:
    """Returns attention of tokens among themselves, or of `few` of them to all, whose scores are raised by a learned
    number for each of `apart` distances. The builder is in the module's scope."""
    batch, seq, _ = x.spec.shape
    count, values = few.spec.shape[1], ratio * keys
    parts = {"q": keys, "k": keys, "v": values} if few is x else {"k": keys, "v": values}
    name = "queries_keys_values" if few is x else "keys_values"
    together = projected(b, name, x, heads * sum(parts.values()), workload)
    together = b.apply("reshape", together, name="heads", shape=(batch, seq, heads, sum(parts.values())))
    split = b.apply("split", together, name="parts", sizes=tuple(parts.values()), dim=3)
    found = {
        label: b.apply("transpose", part, name=label, dims=(1, 2)) for label, part in zip(parts, split, strict=True)
    }
    if few is not x:
        q = projected(b, "queries", few, keys * heads, workload)
        q = b.apply("reshape", q, name="q_heads", shape=(batch, count, heads, keys))
        found["q"] = b.apply("transpose", q, name="q", dims=(1, 2))
    scores = b.apply(
        "matmul", found["q"], b.apply("transpose", found["k"], name="k_last", dims=(-2, -1)), name="scores"
    )
    scores = b.apply("scale", scores, name="scale")
    table = b.parameter("attention_biases", (heads, apart))
    index = b.apply("constant", name="attention_bias_idxs", shape=(count, seq), dtype="int64")
    biases = b.apply("index", table, index, name="biases", dims=(1,))
    weights = b.apply("softmax", b.apply("add", scores, biases, name="raised"), name="softmax")
    y = b.apply("transpose", b.apply("matmul", weights, found["v"], name="values"), name="tokens_first", dims=(1, 2))
    y = b.apply("reshape", y, name="read", shape=(batch, count, heads * values))
    return projected(b, "projection", b.apply("hardswish", y, name="activation"), width, workload)


ARCHITECTURE = Architecture(
    "levit",
    LevitConfig,
    build,
    PresetFiles(__file__),
    sizes={"image_size": lambda config: (config.image_size, config.image_size)},
    dtype="float32",
    aliases=ALIASES,
    model_types=("levit",),
    losses=LOSSES,
    default_loss=lambda config: entropy_if(config.labelled),
    doc="LeViT: a stem of convolutions, then attention whose stages shrink, with batch norms everywhere.",
)

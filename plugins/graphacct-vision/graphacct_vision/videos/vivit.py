"""ViViT: ViT over cuboids of a video (Arnab et al., 2021, arXiv:2103.15691)."""

from __future__ import annotations

from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.layers import activation as activated
from graphacct_architectures.layers import dropped, layer_norm, linear
from graphacct_architectures.losses import LOSSES, check_entropy, entropy_if
from graphacct_architectures.tower import tower
from graphacct_architectures.vit_layers import vit_layers

from graphacct import Architecture, Builder, Dim, PresetFiles, Value, Workload, equal, fields, floor_div, frozen, prod
from graphacct_vision.videos.video import Video, cuboids, given

CLASSES = ("VivitModel", "VivitForVideoClassification")


@frozen(kw_only=True)
class VivitConfig(Video):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    num_frames: Dim = fields.size(32)
    tubelet_size: tuple[Dim, ...] = fields.counts((2, 16, 16), 3)
    hidden_act: str = activation("gelu_fast")
    qkv_bias: bool = fields.flag(True)
    head_dim: Dim | None = fields.optional_size()
    pooler_output_size: Dim | None = fields.optional_size()
    pooler_act: str = activation("tanh")


def build(config: VivitConfig, workload: Workload, b: Builder) -> Value | tuple[Value, ...]:
    """Returns the graph from a video to its tokens and a pooled one, or to logits."""
    check_entropy(config.labelled, workload, config.architectures)
    pixels = given(config, workload, b)
    if config.architectures == CLASSES[0]:
        x = encoded(config, workload, b, pixels)
        first = b.apply("select", x, name="first", dim=1)
        width = config.hidden_size if config.pooler_output_size is None else config.pooler_output_size
        pooled = linear(b, "pooler.dense", first, width)
        return x, activated(b, ACTIVATIONS[config.pooler_act], pooled, "pooler.activation")
    with b.scope("vivit"):
        x = encoded(config, workload, b, pixels)
    x = b.apply("select", x, name="first", dim=1)
    return x if equal(config.num_labels, 0) else linear(b, "classifier", x, config.num_labels)


def encoded(config: VivitConfig, workload: Workload, b: Builder, pixels: Value) -> Value:
    """Returns the tokens after all layers, normalized."""
    width = config.hidden_size
    frames, rows, columns = config.tubelet_size
    count = prod(
        floor_div(side, step)
        for side, step in zip((config.num_frames, *config.image_size), config.tubelet_size, strict=True)
    )
    with b.scope("embeddings"):
        with b.scope("patch_embeddings"):
            x = cuboids(b, pixels, width, (frames, rows, columns))
        token = b.apply("expand", b.parameter("cls_token", (1, 1, width)), name="cls", shape=(workload.batch, 1, width))
        x = b.apply("concat", token, x, name="with_cls", dim=1)
        x = b.apply("add", x, b.parameter("position_embeddings", (1, count + 1, width)), name="with_positions")
        x = dropped(b, "dropout", x, config.hidden_dropout_prob, workload)
    b.hold(x)
    return layer_norm(b, "layernorm", tower(vit_layers(config), workload, b, x))


ARCHITECTURE = Architecture(
    "vivit",
    VivitConfig,
    build,
    PresetFiles(__file__),
    sizes={"image_size": lambda config: config.image_size, "frames": lambda config: config.num_frames},
    attention=("fused", "eager"),
    dtype="float32",
    aliases={"torch_dtype": "dtype", **fields.LABELS},
    no_cost={"video_size": None},
    model_types=("vivit",),
    losses=LOSSES,
    default_loss=lambda config: entropy_if(config.labelled),
    doc="ViViT: ViT over cuboids of a video; --frames says how many it has.",
)

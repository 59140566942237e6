"""BEiT: ViT with numbers for each pair of patches by their distance, and layer scale.

Bao et al., 2021 (arXiv:2106.08254).
"""

from __future__ import annotations

from typing import ClassVar

import attrs
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders import Mlp
from graphacct_architectures.layers import dropped, layer_norm, linear, resident
from graphacct_architectures.losses import LOSSES, check_entropy, entropy_if
from graphacct_architectures.tower import Tower, patch_count, patches, tower_states
from graphacct_architectures.vit_layers import older

from graphacct import (
    Architecture,
    Builder,
    ConfigError,
    Dim,
    PresetFiles,
    Value,
    Workload,
    equal,
    fields,
    floor_div,
    frozen,
    prod,
    same,
)
from graphacct_vision.parts.backbones import ALIASES, Backbone
from graphacct_vision.parts.layers import resized
from graphacct_vision.parts.pyramid import NAMED, SEQUENTIAL, fcn_head, pyramid, uper_head
from graphacct_vision.vits.dinov2 import interpolated

CLASSES = tuple(
    f"Beit{end}"
    for end in ("Model", "ForImageClassification", "ForMaskedImageModeling", "ForSemanticSegmentation", "Backbone")
)
SHARED = "shared_position_bias"
MAPS = 4
"""How many stages the head of semantic segmentation reads."""


@frozen(kw_only=True)
class BeitConfig(Backbone):
    """The keys of the published config.json that the cost depends on."""

    SCOPE: ClassVar[str] = "beit"
    OLDER: ClassVar[bool] = False
    """Whether its modules have the library's former names."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    vocab_size: Dim = fields.size(8192)
    hidden_size: Dim = fields.size(768)
    num_hidden_layers: Dim = fields.size(12)
    num_attention_heads: Dim = fields.size(12)
    intermediate_size: Dim = fields.size(3072)
    hidden_dropout_prob: float = fields.probability(0.0)
    attention_probs_dropout_prob: float = fields.probability(0.0)
    image_size: tuple[Dim, Dim] = fields.sides(224)
    patch_size: Dim = fields.size(16)
    head_dim: Dim | None = fields.optional_size()
    use_mask_token: bool = fields.flag(False)
    use_absolute_position_embeddings: bool = fields.flag(False)
    use_relative_position_bias: bool = fields.flag(False)
    use_shared_relative_position_bias: bool = fields.flag(False)
    layer_scale_init_value: float = attrs.field(default=0.1)
    drop_path_rate: float = fields.probability(0.1)
    use_mean_pooling: bool = fields.flag(True)
    pool_scales: tuple[Dim, ...] = fields.counts((1, 2, 3, 6))
    use_auxiliary_head: bool = fields.flag(True)
    auxiliary_channels: Dim = fields.size(256)
    auxiliary_num_convs: int = fields.size(1, minimum=0)
    auxiliary_concat_input: bool = fields.flag(False)
    add_fpn: bool = fields.flag(False)
    reshape_hidden_states: bool = fields.flag(True)

    def __attrs_post_init__(self) -> None:
        scale = self.layer_scale_init_value
        if isinstance(scale, bool) or not isinstance(scale, (int, float)):
            raise ConfigError(f"layer_scale_init_value is a number, not {scale!r}")

    @property
    def patch(self) -> tuple[Dim, Dim]:
        """Both sides of a patch."""
        return self.patch_size, self.patch_size


def build(config: BeitConfig, workload: Workload, b: Builder) -> Value | tuple[Value, ...]:
    """Returns the graph from pixels to logits, to the tokens and the pooled output, or to maps of stages."""
    check_entropy(config.labelled, workload, config.architectures)
    assert workload.image_size is not None  # the architecture declares its default
    pixels = b.input("pixel_values", (workload.batch, config.num_channels, *workload.image_size))
    if config.architectures.endswith(("Backbone", "ForSemanticSegmentation")):
        return of_maps(config, workload, b, pixels)
    if config.architectures.endswith("Model"):
        x = encoded(config, workload, b, pixels)
        return x if config.OLDER else (x, pooled(config, b, x))
    with b.scope(config.SCOPE):
        x = encoded(config, workload, b, pixels)
        if config.architectures.endswith("ForImageClassification"):
            x = pooled(config, b, x)
    if config.architectures.endswith("ForMaskedImageModeling"):
        x = layer_norm(b, "layernorm", x)
        x = b.apply("slice", x, name="patches", dim=1, start=1, length=x.spec.shape[1] - 1)
        return linear(b, "lm_head", x, config.vocab_size)
    return x if equal(config.num_labels, 0) else linear(b, "classifier", x, config.num_labels)


def of_maps(config: BeitConfig, workload: Workload, b: Builder, pixels: Value) -> Value | tuple[Value, ...]:
    """Returns the stages that a backbone hands on, or the logits of each place that a head reads from four of them."""
    places = config.handed_on(config.num_hidden_layers)
    segments = config.architectures.endswith("ForSemanticSegmentation")
    if (segments or config.add_fpn) and len(places) != MAPS:
        raise ConfigError(f"out_indices {list(places)} name {len(places)} stages: {config.architectures} reads {MAPS}")
    if segments and places[0] == 0:
        raise ConfigError(f"out_indices {list(places)} start with the stem, which {config.architectures} does not read")
    with b.scope(config.SCOPE):
        found = stages(config, workload, b, pixels, tuple(place - segments for place in places))
        if not config.use_mean_pooling:  # of the bare model, whose output is not read
            layer_norm(b, "layernorm", found[config.num_hidden_layers])
    states = [found[place - segments] for place in places]
    grid = grid_of(config, pixels)
    if segments or config.reshape_hidden_states:
        states = [by_place(b, x, grid, f"stage{place}") for place, x in zip(places, states, strict=True)]
    training = workload.phase == "train"
    if segments or config.add_fpn:
        names = SEQUENTIAL if config.OLDER else NAMED
        with b.scope("" if config.OLDER else "fpn"):
            states = list(pyramid(b, states, config.hidden_size, training, names))
    if not segments:
        return tuple(states)
    with b.scope("decode_head"):
        logits = uper_head(b, states, config.hidden_size, config.pool_scales, config.num_labels, training)
    if config.use_auxiliary_head:  # its logits are in the loss alone
        with b.scope("auxiliary_head"):
            channels, count, joined = (
                config.auxiliary_channels,
                config.auxiliary_num_convs,
                config.auxiliary_concat_input,
            )
            fcn_head(b, states[2], channels, count, config.num_labels, training, joined=joined)
    return logits


def by_place(b: Builder, x: Value, grid: tuple[Dim, Dim], name: str) -> Value:
    """Returns the patches of x (batch, tokens, width) as a map (batch, width, rows, columns)."""
    batch, tokens, width = x.spec.shape
    x = b.apply("slice", x, name=f"{name}_patches", dim=1, start=1, length=tokens - 1)
    x = b.apply("transpose", x, name=f"{name}_channels_first", dims=(1, 2))
    return b.apply("reshape", x, name=name, shape=(batch, width, *grid))


def pooled(config: BeitConfig, b: Builder, x: Value) -> Value:
    """Returns the mean of the patches, normalized, or the class token."""
    if not config.use_mean_pooling:
        return b.apply("select", x, name="pooler", dim=1)
    with b.scope("pooler"):
        x = b.apply("slice", x, name="patches", dim=1, start=1, length=x.spec.shape[1] - 1)
        return layer_norm(b, "layernorm", b.apply("mean", x, name="mean", dim=1))


def grid_of(config: BeitConfig, pixels: Value) -> tuple[Dim, Dim]:
    """Returns how many rows and columns of whole patches an image has."""
    rows, columns = (floor_div(side, config.patch_size) for side in pixels.spec.shape[2:])
    return rows, columns


def encoded(config: BeitConfig, workload: Workload, b: Builder, pixels: Value) -> Value:
    """Returns the tokens of the bare model, normalized unless the pooled output is."""
    x = stages(config, workload, b, pixels, ())[config.num_hidden_layers]
    return x if config.use_mean_pooling else layer_norm(b, "layernorm", x)


def stages(
    config: BeitConfig, workload: Workload, b: Builder, pixels: Value, ends: tuple[int, ...]
) -> dict[Dim, Value]:
    """Returns the tokens after each number of layers in `ends`, and after all."""
    x = embedded(config, workload, b, pixels)
    b.hold(x)
    grid = grid_of(config, pixels)
    shared = None
    if config.use_shared_relative_position_bias:
        shared = distances(config, b, "encoder.relative_position_bias" if config.OLDER else SHARED, grid)
    with b.scope("encoder" if config.OLDER else ""):
        return tower_states(tower_of(config, grid), workload, b, x, ends, mask=shared)


def embedded(config: BeitConfig, workload: Workload, b: Builder, pixels: Value) -> Value:
    """Returns the class token and the patches, with their positions if they are learned."""
    width = config.hidden_size
    with b.scope("embeddings"):
        with b.scope("patch_embeddings"):
            x = patches(b, "projection", pixels, width, config.patch, bias=True)
        if config.use_mask_token:  # replaces masked patches, which a workload does not give
            resident(b, "mask_token", b.parameter("mask_token", (1, 1, width)))
        token = b.apply("expand", b.parameter("cls_token", (1, 1, width)), name="cls", shape=(workload.batch, 1, width))
        x = b.apply("concat", token, x, name="with_cls", dim=1)
        if config.use_absolute_position_embeddings:
            learned = patch_count(config.image_size, config.patch)
            table = b.parameter("position_embeddings", (1, learned + 1, width))
            grid, (height, across) = grid_of(config, pixels), pixels.spec.shape[2:]
            if not (same(prod(grid), learned) and same(height, across)):
                resized_table = interpolated(b, table, config.image_size, grid)
                x = b.apply("add", x, resized_table, name="with_positions")
            else:
                x = b.apply("add", x, table, name="with_positions")
        return dropped(b, "dropout", x, config.hidden_dropout_prob, workload)


def distances(config: BeitConfig, b: Builder, name: str, grid: tuple[Dim, Dim]) -> Value:
    """Returns a number for each pair of tokens, (1, heads, tokens, tokens), from a learned table of distances along
    rows and columns, and three for pairs with the class token. The table is resized to the image's distances."""
    heads = config.num_attention_heads
    rows, columns = (2 * floor_div(side, config.patch_size) - 1 for side in config.image_size)
    new = (2 * grid[0] - 1, 2 * grid[1] - 1)
    tokens = prod(grid) + 1
    with b.scope(name):
        table = b.parameter("relative_position_bias_table", (rows * columns + 3, heads))
        near = b.apply("slice", table, name="of_patches", dim=0, start=0, length=rows * columns)
        near = b.apply("reshape", near, name="by_distance", shape=(1, columns, rows, heads))
        near = b.apply("permute", near, name="heads_first", dims=(0, 3, 1, 2))
        near = resized(b, "resized", near, new)
        near = b.apply("permute", near, name="heads_last", dims=(0, 2, 3, 1))
        near = b.apply("reshape", near, name="flat", shape=(prod(new), heads))
        rest = b.apply("slice", table, name="of_cls", dim=0, start=rows * columns, length=3)
        table = b.apply("concat", near, rest, name="table", dim=0)
        # the library makes the index once for a grid and keeps it, for all layers and later runs
        places = b.apply("constant", name="index", shape=(tokens**2,), dtype="int64")
        x = b.apply("index_select", table, places, name="read", dim=0)
        x = b.apply("reshape", x, name="pairs", shape=(tokens, tokens, heads))
        x = b.apply("contiguous", b.apply("permute", x, name="by_head", dims=(2, 0, 1)), name="copied")
        return b.apply("reshape", x, name="bias", shape=(1, heads, tokens, tokens))


def tower_of(config: BeitConfig, grid: tuple[Dim, Dim]) -> Tower:
    """Returns the layers, under their names in the transformers library."""
    act = ACTIVATIONS[config.hidden_act]
    scaled = config.layer_scale_init_value > 0
    own = config.use_relative_position_bias
    name = "attention.attention.relative_position_bias" if config.OLDER else "relative_position_bias"
    kind = Tower(
        config.num_hidden_layers,
        config.num_attention_heads,
        Mlp(config.intermediate_size, act, gated=False, up="fc1", down="fc2", bias=True),
        stack="layers",
        attention="attention",
        out="o_proj",
        norms=("layernorm_before", "layernorm_after"),
        key_bias=False,
        attention_dropout=config.attention_probs_dropout_prob,
        dropout=config.hidden_dropout_prob,
        d_head=config.head_dim,
        scales=("lambda_1", "lambda_2") if scaled else ("", ""),
        out_dropout=config.hidden_dropout_prob if scaled else 0.0,
        drop_path=config.drop_path_rate,
        drop_path_grows=True,
        pairs=(lambda b: distances(config, b, name, grid)) if own else None,
    )
    if not config.OLDER:
        return kind
    return attrs.evolve(older(kind, "attention"), stack="layer")


def family(name: str, config: type[BeitConfig], presets: PresetFiles, doc: str) -> Architecture:
    """Returns the architecture of a family of which its configuration class says everything."""
    return Architecture(
        name,
        config,
        build,
        presets,
        sizes={"image_size": lambda config: config.image_size},
        attention=("fused", "eager"),
        dtype="float32",
        aliases={**ALIASES, "segmentation_indices": "out_indices"},
        no_cost={"auxiliary_loss_weight": None, "semantic_loss_ignore_index": None},
        model_types=(name,),
        losses=LOSSES,
        default_loss=lambda config: entropy_if(config.labelled),
        doc=doc,
    )


ARCHITECTURE = family(
    "beit", BeitConfig, PresetFiles(__file__), "BEiT: ViT with learned numbers for pairs of patches and layer scale."
)

"""MiniCPM-V's tower: SigLIP's layers over a grid of patches, in one of whose places a merger sees windows and makes one
token of each."""

from __future__ import annotations

from functools import partial
from typing import Any

import attrs

from graphacct import Builder, ConfigError, Dim, Value, Workload, exact_div, fields, floor_div, frozen, has_value
from graphacct_architectures.activations import activation
from graphacct_architectures.decoders.parts.description.norm import LAYER_NORM, Norm
from graphacct_architectures.decoders.parts.norms import normed_by
from graphacct_architectures.decoders.parts.stack import stack
from graphacct_architectures.layers import embedding, linear
from graphacct_architectures.multimodal.parts.grid import Extent, Grid, patches, windows
from graphacct_architectures.multimodal.parts.grid_layers import apart, attention, body
from graphacct_architectures.multimodal.parts.siglip_grid import siglip_grid
from graphacct_architectures.residing import reside


@frozen(kw_only=True)
class VisionConfig:
    """The tower's keys that the cost depends on."""

    hidden_size: Dim = fields.size(768)
    intermediate_size: Dim = fields.size(3072)
    num_hidden_layers: Dim = fields.size(12)
    num_attention_heads: Dim = fields.size(12)
    num_channels: Dim = fields.size(3)
    image_size: Dim = fields.size(224)
    patch_size: Dim = fields.size(16)
    hidden_act: str = activation("gelu_pytorch_tanh")
    attention_dropout: float = fields.probability(0.0)
    window_kernel_size: tuple[Dim, Dim] = fields.sides(2)


@frozen
class Nearest:
    """Each patch adds the row of a table that is nearest to it."""

    name: str
    count: Dim

    def __call__(self, b: Builder, x: Value, extent: Extent) -> Value:
        count, width = x.spec.shape
        ids = b.apply("full", name="nearest", shape=(count,), dtype="int64")
        y: Value = b.apply("add", x, embedding(b, self.name, ids, self.count, width), name="with_positions")
        return y


def tower(c: VisionConfig) -> Grid:
    """Returns the tower, without the merger."""
    side = floor_div(c.image_size, c.patch_size)
    return siglip_grid(c, 1, turns="", positions=Nearest("embeddings.position_embedding", side * side))


def looked(
    c: VisionConfig, workload: Workload, b: Builder, images: Dim, sides: tuple[Dim, Dim], place: int
) -> tuple[Value, tuple[Dim, Dim]]:
    """Returns the tokens, and how many rows and columns of them an image has; the merger runs after the layer of the
    index `place`, or not at all (-1)."""
    g = tower(c)
    extent = Extent(images, *sides)
    x = patches(g, b, extent)
    assert g.positions is not None
    x = g.positions(b, x, extent)
    if type(g.depth) is not int or place >= g.depth:
        raise ConfigError(f"insert_layer_id is {place}, and vision_config has {g.depth} layers: give numbers")
    start = 0
    for end in (place + 1, g.depth) if place >= 0 else (g.depth,):
        groups = {True: apart(((images, extent.rows * extent.columns),))}
        layer = partial(body, g.looking, g.mlp, g.norm, g.norms, workload, groups)
        with b.scope("encoder"):
            x = stack(b, "layers", (True,) * (end - start), layer, x, (), start) if end > start else x
        if end == place + 1 and place >= 0 and start == 0:
            with b.scope("vit_merger"):
                x, extent = windowed(c, workload, b, x, extent)
        start = end
    return normed_by(b, "post_layernorm", x, g.norm), (extent.rows, extent.columns)


def windowed(c: VisionConfig, workload: Workload, b: Builder, x: Value, extent: Extent) -> tuple[Value, Extent]:
    """Returns one token of each window, whose patches see each other: their mean, and what two linear layers make of
    them side by side."""
    high, wide = c.window_kernel_size
    if has_value(high) and has_value(wide) and (high, wide) != (2, 2):
        raise ConfigError(f"window_kernel_size is {[high, wide]}: the class halves rows and columns after it")
    g = attrs.evolve(tower(c), window=high, patch=(1, 1))
    count, width = x.spec.shape
    size = high * wide
    y = normed_by(b, "layer_norm1", x, g.norm)
    order = b.apply("full", name="window_places", shape=(count,), dtype="int64")
    y = b.apply("index_select", y, order, name="windows", dim=0)
    with b.scope("self_attn"):
        y = attention(g.looking, workload, b, y, (), apart(windows(g, extent)))
    x = b.apply("add", b.apply("index_select", x, order, name="stream_windows", dim=0), y, name="residual")
    each = exact_div(count, size, "patches / window")
    x = b.apply("reshape", x, name="windows_apart", shape=(each, size, width))
    mean = b.apply("mean", x, name="mean", dim=1)
    y = normed_by(b, "pre_norm", b.apply("reshape", x, name="flat", shape=(each, size * width)), g.norm)
    y = b.apply("gelu_tanh", linear(b, "linear_1", y, c.intermediate_size * size), name="act")
    y = b.apply("add", linear(b, "linear_2", y, width), mean, name="with_mean")
    return y, Extent(extent.images, exact_div(extent.rows, high, "rows"), exact_div(extent.columns, wide, "columns"))


def unread(c: VisionConfig, workload: Workload, b: Builder, module: str) -> None:
    """Adds the parameters of the merger that does not run, whose module is `module`."""
    aside = Builder("vit_merger", b.operators, b.dtype)
    count = c.window_kernel_size[0] * c.window_kernel_size[1]
    x = aside.input("patches", (count, c.hidden_size))
    with aside.scope(module):
        y, _ = windowed(c, workload, aside, x, Extent(1, *c.window_kernel_size))
    reside(b, aside.graph(y))


def merged(config: Any, b: Builder, x: Value, images: Dim, sides: tuple[Dim, Dim], out: Dim) -> Value:
    """Returns the rows of the text's width: squares of tokens through two linear layers, `merger_times`."""
    rows, columns = sides
    tall, broad = config.merge_kernel_size
    for index in range(config.merger_times):
        width = x.spec.shape[-1]
        rows, columns = exact_div(rows, tall, "rows / merge"), exact_div(columns, broad, "columns / merge")
        last = index == config.merger_times - 1
        with b.scope(f"mlp.{index}"):
            x = b.apply("reshape", x, name="places", shape=(images, rows, tall, columns, broad, width))
            x = b.apply("transpose", x, name="squares_together", dims=(2, 3))
            x = b.apply("reshape", x, name="squares", shape=(images * rows * columns, tall * broad * width))
            x = normed_by(b, "pre_norm", x, Norm(LAYER_NORM, bias=True))
            x = b.apply("gelu", linear(b, "linear_1", x, x.spec.shape[-1]), name="act")
            x = linear(b, "linear_2", x, out if last else width)
    return x

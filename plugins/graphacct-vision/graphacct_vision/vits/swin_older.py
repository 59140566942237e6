"""Swin under the transformers library's former names: what Donut's and MaskFormer's encoders are made of.

Liu et al., 2021 (arXiv:2103.14030).
"""

from __future__ import annotations

from functools import partial
from typing import ClassVar

import attrs
from graphacct_architectures.decoders import mlp
from graphacct_architectures.layers import drop_path, dropped, layer_norm
from graphacct_architectures.tower import Tower, attention
from graphacct_architectures.vit_layers import older

from graphacct import Builder, ConfigError, Dim, Value, Workload, exact_div, fields, floor_div, frozen, prod
from graphacct_vision.parts.windows import Grid, into_windows, out_of_windows, padded_grid, regions
from graphacct_vision.vits.swin import Body, SwinConfig, kind_of


@frozen(kw_only=True)
class OlderSwinConfig(SwinConfig):
    """The keys of the published config.json that the cost depends on."""

    PARTITIONS: ClassVar[bool] = False
    """Whether a map as small as a window is shifted too."""

    use_absolute_embeddings: bool = fields.flag(False)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        if self.use_absolute_embeddings:
            raise ConfigError(
                "use_absolute_embeddings makes one position more than an image has patches, which the library's class "
                "cannot add: set it to false"
            )

    def windows(self, stage: int, grid: Grid) -> tuple[Dim, bool]:
        """Returns a stage's window and whether every other layer's is shifted."""
        if not self.PARTITIONS:
            return super().windows(stage, grid)
        window = self.window_size
        return window, type(window) is not int or window > 1

    def block(self, workload: Workload, stage: int, grid: Grid, window: Dim) -> partial[Body]:
        """Returns what makes a layer's body, of whether its windows are shifted and whether it drops no branch."""
        return partial(block, self, workload, stage, grid, window)


def block(
    config: OlderSwinConfig, workload: Workload, stage: int, grid: Grid, window: Dim, shifted: bool, spared: bool
) -> Body:
    """Returns the body of a layer."""
    kind = attrs.evolve(
        older(kind_of(config, stage), "self"), out_dropout=config.attention_probs_dropout_prob, softmax_upcast=False
    )
    return partial(layer, config, kind, workload, grid, window, shifted, 0.0 if spared else config.drop_path_rate)


def layer(
    config: OlderSwinConfig,
    kind: Tower,
    workload: Workload,
    grid: Grid,
    window: Dim,
    shifted: bool,
    rate: float,
    b: Builder,
    x: Value,
) -> Value:
    """Returns x (batch, rows * columns, channels) after attention in windows and a network of one hidden layer."""
    shift = floor_div(window, 2) if shifted else 0
    b.hold(x)
    y = into_windows(b, layer_norm(b, "layernorm_before", x), grid, window, shift)
    hidden = regions(b, grid, window) if shifted else None
    d_head = exact_div(x.spec.shape[-1], kind.heads, "channels / num_heads")
    with b.scope("attention"):
        b.hold(y)
        numbers = pairs(b, x.spec.shape[0], kind.heads, window, grid, hidden)
        y, _ = attention(kind, d_head, workload, b, y, numbers)
    y = out_of_windows(b, y, x.spec.shape[0], grid, window, shift)
    x = b.apply("add", x, drop_path(b, "attn_drop_path", y, rate, workload), name="attn_residual")
    y = layer_norm(b, "layernorm_after", x)
    b.hold(y)
    y = dropped(b, "output.dropout", mlp(kind.mlp, b, y), config.hidden_dropout_prob, workload)
    return b.apply("add", x, y, name="mlp_residual")


def pairs(b: Builder, batch: Dim, heads: Dim, window: Dim, grid: Grid, hidden: Value | None) -> Value:
    """Returns the learned number of each pair of places in a window, (1, heads, window², window²), and in shifted
    windows (batch * windows, …) with those hidden that lay apart. The index is a buffer of each layer."""
    count = window**2
    with b.scope("self"):
        table = b.parameter("relative_position_bias_table", ((2 * window - 1) ** 2, heads))
        index = b.parameter("relative_position_index", (count, count), "int64", buffer=True)
        places = b.apply("reshape", index, name="index_flat", shape=(count**2,))
        x = b.apply("index_select", table, places, name="pairs_read", dim=0)
        x = b.apply("reshape", x, name="pairs_by_place", shape=(count, count, heads))
        x = b.apply("contiguous", b.apply("permute", x, name="by_head", dims=(2, 0, 1)), name="pairs_copied")
        x = b.apply("reshape", x, name="pairs", shape=(1, heads, count, count))
        if hidden is None:
            return x
        number = prod(floor_div(side, window) for side in padded_grid(grid, window))
        each = b.apply("reshape", hidden, name="hidden_of_windows", shape=(1, number, 1, count, count))
        each = b.apply("expand", each, name="hidden_of_batch", shape=(batch, number, 1, count, count))
        each = b.apply("reshape", each, name="hidden", shape=(batch * number, 1, count, count))
        return b.apply("add", x, each, name="pairs_hidden")

"""Pixtral's tower: a Transformer over the patches of all images of a batch as one sequence, each seen by its own image,
with rows and columns that rotate queries and keys.

Agrawal et al., 2024 (arXiv:2410.07073).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphacct import Architecture, Builder, Dim, PresetFiles, Value, Workload, exact_div, fields, floor_div, frozen
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.decoders.parts.decode import layer
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.description.norm import Norm
from graphacct_architectures.decoders.parts.names import mask_name
from graphacct_architectures.decoders.parts.norms import normed_by
from graphacct_architectures.losses import SUM_ALONE

VISION = "PixtralVisionModel"


@frozen(kw_only=True)
class PixtralVisionConfig:
    """The tower's keys that the cost depends on."""

    architectures: str = fields.model_class(VISION, (VISION,))
    hidden_size: Dim = fields.size(1024)
    intermediate_size: Dim = fields.size(4096)
    num_hidden_layers: Dim = fields.size(24)
    num_attention_heads: Dim = fields.size(16)
    num_channels: Dim = fields.size(3)
    image_size: tuple[Dim, Dim] = fields.sides(1024)
    patch_size: tuple[Dim, Dim] = fields.sides(16)
    hidden_act: str = activation("gelu")
    attention_dropout: float = fields.probability(0.0)
    dtype: str | None = fields.dtype()


def image_states(
    config: PixtralVisionConfig, workload: Workload, b: Builder, key: str = "image_size", wanted: Sequence[int] = ()
) -> dict[Dim, Value]:
    """Returns the patches of all images, (1, patches, width), after all layers and after as many as each `wanted`
    number says."""
    assert workload.image_size is not None  # the architecture declares its default
    images, width = workload.batch, config.hidden_size
    pixels = b.input("pixel_values", (images, config.num_channels, *workload.image_size))
    weight = b.parameter("patch_conv.weight", (width, config.num_channels, *config.patch_size))
    x = b.apply("convolution", pixels, weight, name="patch_conv", stride=config.patch_size)
    rows, columns = x.spec.shape[2:]
    x = b.apply("reshape", x, name="flat", shape=(images, width, rows * columns))
    x = b.apply("transpose", x, name="patches", dims=(1, 2))
    count = images * rows * columns
    x = b.apply("reshape", x, name="one_sequence", shape=(1, count, width))
    x = normed_by(b, "ln_pre", x, Norm())
    d_head = exact_div(width, config.num_attention_heads, "hidden_size / num_attention_heads")
    attention = Attention(
        config.num_attention_heads,
        config.num_attention_heads,
        d_head,
        module="attention",
        rotary=d_head,
        rotary_tables="patch_positional_embedding",
        causal=False,
        masked=True,
        dropout=config.attention_dropout,
    )
    kind = Layer(
        attention,
        Mlp(config.intermediate_size, ACTIVATIONS[config.hidden_act], module="feed_forward"),
        attention_norm="attention_norm",
        mlp_norm="ffn_norm",
    )
    alone = Workload(
        batch=1, seq_len=count, attention=workload.attention, phase="train" if workload.phase == "train" else "forward"
    )
    tables = {**turns(b, count, d_head), mask_name(attention, alone): own_images(b, count)}
    b.hold(*tables.values())
    body = layer(alone, tuple(tables), kind)
    found: dict[Dim, Value] = {0: x}
    start: Any = 0
    with b.scope("transformer"):
        ends = (*sorted({index for index in wanted if index not in (0, config.num_hidden_layers)}),)
        for end in (*ends, config.num_hidden_layers):
            x = b.repeat("layers", end - start, body, x, constants=tuple(tables.values()), start=start)
            found[end], start = x, end
    return found


def turns(b: Builder, count: Dim, d_head: Dim) -> dict[str, Value]:
    """Returns cosine and sine of each patch's angles, a half by its row and a half by its column."""
    found: dict[str, Value] = {}
    with b.scope("patch_positional_embedding"):
        places = b.apply("constant", name="positions", shape=(count, 2, 1), dtype="float32")
        rates = b.apply("constant", name="inv_freq", shape=(floor_div(d_head, 4),), dtype="float32")
        freqs = b.apply("mul", places, rates, name="freqs")
        half = b.apply("reshape", freqs, name="half", shape=(count, floor_div(d_head, 2)))
        angles = b.apply("concat", half, half, name="angles", dim=-1)
        for function in ("cos", "sin"):
            table = b.apply(function, angles, name=function)
            if b.dtype != "float32":
                table = b.apply("cast", table, name=f"{function}_table", dtype=b.dtype)
            found[f"patch_positional_embedding.{function}"] = table
    return found


def own_images(b: Builder, count: Dim) -> Value:
    """Returns the mask by which a patch sees those of its image alone."""
    mask = b.apply("constant", name="own_image", shape=(1, 1, count, count), dtype=b.dtype)
    found: Value = mask
    return found


def finish(config: PixtralVisionConfig, b: Builder, x: Value) -> Value:
    """Returns the patches as they are: there is no last norm."""
    return x


def build(config: PixtralVisionConfig, workload: Workload, b: Builder) -> Value:
    """Returns the graph from images to their patches, as one sequence."""
    return image_states(config, workload, b)[config.num_hidden_layers]


ARCHITECTURE = Architecture(
    "pixtral",
    PixtralVisionConfig,
    build,
    PresetFiles(__file__),
    sizes={"image_size": lambda config: config.image_size},
    attention=("fused", "eager"),
    aliases={"torch_dtype": "dtype"},
    no_cost={"head_dim": None, "vocab_size": None, "rope_parameters": None, "projection_dim": None},
    model_types=("pixtral",),
    losses=SUM_ALONE,
    doc="Pixtral's tower: all images as one sequence of patches, 2-D rotary positions.",
)

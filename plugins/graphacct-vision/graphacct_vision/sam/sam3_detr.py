"""SAM 3's detector: an image that reads a prompt, and queries that read both, with a token of whether any is there.

Carion et al., 2025 (arXiv:2511.16719), in DETR's form: boxes are refined layer by layer, and bias what a query sees.
"""

from __future__ import annotations

from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.decoders import Mlp
from graphacct_architectures.layers import activation as activated
from graphacct_architectures.layers import dropped, layer_norm, linear, merge_heads, split_heads
from graphacct_architectures.tower import Tower, attended

from graphacct import Builder, Dim, Value, Workload, exact_div, fields, frozen
from graphacct_vision.detectors.conditional_detr import unsquashed

NO_MLP = Mlp(1, "relu")
BOX = 4
DEEP = 3
"""How many linear layers a head has."""


@frozen(kw_only=True)
class LayerKeys:
    """The keys that the geometry encoder's, the encoder's and the decoder's layers share."""

    hidden_size: Dim = fields.size(256)
    num_attention_heads: Dim = fields.size(8)
    intermediate_size: Dim = fields.size(2048)
    dropout: float = fields.probability(0.1)
    hidden_act: str = activation("relu")
    hidden_dropout: float = fields.probability(0.0)


@frozen(kw_only=True)
class EncoderKeys(LayerKeys):
    """The keys of the encoder inside the whole model."""

    model_type: str = fields.choice("sam3_detr_encoder", ("sam3_detr_encoder", ""))
    num_layers: Dim = fields.size(6)


@frozen(kw_only=True)
class DecoderKeys(LayerKeys):
    """The keys of the decoder inside the whole model."""

    model_type: str = fields.choice("sam3_detr_decoder", ("sam3_detr_decoder", ""))
    num_layers: int = fields.size(6)
    num_queries: Dim = fields.size(200)


def attention(
    workload: Workload, b: Builder, name: str, heads: Dim, query: Value, key: Value, value: Value, *masks: Value
) -> Value:
    """Returns what queries (batch, count, width) read, in the scope `name`."""
    width = query.spec.shape[-1]
    d_head = exact_div(width, heads, "hidden_size / num_attention_heads")
    kind = Tower(1, heads, NO_MLP, "", "", "", ("", ""), softmax_upcast=False)
    with b.scope(name):
        q, k, v = (
            split_heads(b, linear(b, f"{label}_proj", x, width), heads, d_head, label)
            for label, x in (("q", query), ("k", key), ("v", value))
        )
        b.hold(q, k, v)
        y, _ = attended(kind, workload, b, q, k, v, masks[0] if masks else None)
        return linear(b, "o_proj", merge_heads(b, y), width)


def network(config: LayerKeys, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns x after a layer's network."""
    with b.scope("mlp"):
        y = dropped(b, "dropout", linear(b, "fc1", x, config.intermediate_size), config.hidden_dropout, workload)
        return linear(b, "fc2", activated(b, ACTIVATIONS[config.hidden_act], y, "activation_fn"), x.spec.shape[-1])


def encoder_layer(config: EncoderKeys, workload: Workload, b: Builder, x: Value, prompt: Value, places: Value) -> Value:
    """Returns the image's places (batch, places, width) after they read each other and the prompt, normalized first."""
    b.hold(x)

    def added(x: Value, y: Value, name: str) -> Value:
        y = dropped(b, f"{name}_dropout", y, config.dropout, workload)
        return b.apply("add", y, x, name=f"{name}_residual")

    y = layer_norm(b, "layer_norm1", x)
    placed = b.apply("add", y, places, name="placed")
    x = added(x, attention(workload, b, "self_attn", config.num_attention_heads, placed, placed, y), "self_attn")
    y = layer_norm(b, "layer_norm2", x)
    x = added(x, attention(workload, b, "cross_attn", config.num_attention_heads, y, prompt, prompt), "cross_attn")
    return added(x, network(config, workload, b, layer_norm(b, "layer_norm3", x)), "mlp")


def decoded(
    config: DecoderKeys,
    workload: Workload,
    b: Builder,
    image: Value,
    prompt: Value,
    places: Value,
    grid: tuple[Dim, Dim],
) -> tuple[Value, Value, Value]:
    """Returns of all layers the queries' states, normalized, (layers, batch, queries, width), the boxes that each layer
    was given, and whether any query found anything, (layers, batch, 1)."""
    batch, width, count = workload.batch, config.hidden_size, config.num_queries
    queries = of_batch(b, "query_embed", count, width, batch)
    box = b.apply("sigmoid", of_batch(b, "reference_points", count, BOX, batch), name="reference_boxes")
    x = b.apply("concat", of_batch(b, "presence_token", 1, width, batch), queries, name="with_presence", dim=1)
    states: list[Value] = []
    presence: list[Value] = []
    boxes = [box]
    for index in range(config.num_layers):
        with b.turn(index):
            y = head(b, "ref_point_head", waves(b, box, exact_div(width, 2, "hidden_size / 2")), width, width, 2)
            bias = b.apply("pad", biased(config, b, box, grid), name="bias_padded", padding=PRESENCE)
            where = b.apply("pad", y, name="query_pos", padding=((1, 0), (0, 0)))
        b.hold(x, box, where, bias)
        with b.scope(f"layers.{index}"):
            x = decoder_layer(config, workload, b, x, where, image, prompt, places, bias)
        b.hold(x, box, *states, *boxes, *presence)
        with b.turn(index):
            found = b.apply("slice", x, name="queries", dim=1, start=1, length=count)
            before = unsquashed(b, box, "box")
            normal = layer_norm(b, "output_layer_norm", found)
            y = b.apply("add", head(b, "box_head", normal, width, BOX, DEEP), before, name="box_sum")
            boxes.append(b.apply("sigmoid", y, name="new_boxes"))
            box = b.apply("detach", boxes[-1], name="boxes_alone")
        with b.turn(config.num_layers + index):
            states.append(layer_norm(b, "output_layer_norm", found))
        with b.turn(index):
            token = b.apply("slice", x, name="presence", dim=1, start=0, length=1)
            y = head(b, "presence_head", layer_norm(b, "presence_layer_norm", token), width, 1, DEEP)
            y = b.apply("reshape", y, name="presence_flat", shape=(batch, 1))
            presence.append(b.apply("clamp", y, name="presence_logits"))
    kept = (states, boxes[:-1], presence)
    found = [
        b.apply("stack", *x, name=f"all_{word}") for x, word in zip(kept, ("states", "boxes", "presence"), strict=True)
    ]
    return found[0], found[1], found[2]


PRESENCE = ((0, 0), (0, 0), (1, 0), (0, 0))
"""The token of presence sees all places alike."""


def decoder_layer(
    config: DecoderKeys,
    workload: Workload,
    b: Builder,
    x: Value,
    where: Value,
    image: Value,
    prompt: Value,
    places: Value,
    bias: Value,
) -> Value:
    """Returns the queries after they read each other, the prompt and the image; each sum is normalized."""

    def added(x: Value, y: Value, name: str) -> Value:
        y = dropped(b, f"{name}_dropout", y, config.dropout, workload)
        return layer_norm(b, f"{name}_layer_norm", b.apply("add", x, y, name=f"{name}_residual"))

    heads = config.num_attention_heads
    placed = b.apply("add", x, where, name="placed")
    x = added(x, attention(workload, b, "self_attn", heads, placed, placed, x), "self_attn")
    placed = b.apply("add", x, where, name="placed_for_text")
    x = added(x, attention(workload, b, "text_cross_attn", heads, placed, prompt, prompt), "text_cross_attn")
    placed = b.apply("add", x, where, name="placed_for_vision")
    keys = b.apply("add", image, places, name="image_placed")
    x = added(x, attention(workload, b, "vision_cross_attn", heads, placed, keys, image, bias), "vision_cross_attn")
    return added(x, network(config, workload, b, x), "mlp")


def of_batch(b: Builder, name: str, count: Dim, width: Dim, batch: Dim) -> Value:
    """Returns the rows of a table for each image, a view."""
    row = b.apply("reshape", b.parameter(f"{name}.weight", (count, width)), name=f"{name}_row", shape=(1, count, width))
    found: Value = b.apply("expand", row, name=name, shape=(batch, count, width))
    return found


def head(b: Builder, name: str, x: Value, hidden: Dim, out: Dim, layers: int) -> Value:
    """Returns x after `layers` linear layers with ReLUs between."""
    with b.scope(name):
        for index in range(1, layers + 1):
            x = linear(b, f"layer{index}", x, out if index == layers else hidden)
            x = x if index == layers else b.apply("relu", x, name=f"relu{index}")
    return x


def waves(b: Builder, box: Value, half: Dim) -> Value:
    """Returns sines and cosines (batch, queries, 4 half) of boxes (batch, queries, 4)."""
    batch, count, _ = box.spec.shape
    rates = b.apply("full", name="rates", shape=(half,), dtype=b.dtype)
    parts = []
    for index in range(BOX):
        x = b.apply(
            "scale", b.apply("select", box, name=f"number_{index}", dim=2, index=index), name=f"circles_{index}"
        )
        x = b.apply("reshape", x, name=f"column_{index}", shape=(batch, count, 1))
        x = b.apply("div", x, rates, name=f"angles_{index}")
        even, odd = b.apply("split", x, name=f"halves_{index}", parts=2, dim=-1)
        pair = b.apply("sin", even, name=f"sin_{index}"), b.apply("cos", odd, name=f"cos_{index}")
        parts.append(b.apply("concat", *pair, name=f"waves_{index}", dim=-1))
    y: Value = b.apply("concat", *parts, name="waves", dim=-1)
    return y


def biased(config: DecoderKeys, b: Builder, box: Value, grid: tuple[Dim, Dim]) -> Value:
    """Returns what each head adds to a query's score of a place (batch, heads, queries, places): of the logarithms of
    the distances to its box's sides, along each axis."""
    batch, count, _ = box.spec.shape
    heads = config.num_attention_heads
    corners = xyxy(b, box, "corners")
    found = {}
    for word, side in (("y", grid[0]), ("x", grid[1])):
        line = b.apply(
            "scale",
            b.apply("cast", b.apply("arange", name=f"{word}_ids", n=side), name=f"{word}_wide", dtype=b.dtype),
            name=f"{word}_share",
        )
        line = b.apply("reshape", line, name=f"{word}_line", shape=(1, side, 1))
        ends = b.apply(
            "slice",
            b.apply("reshape", corners, name=f"{word}_corners", shape=(batch * count, 1, BOX)),
            name=f"{word}_ends",
            dim=2,
            start=0,
            length=2,
        )
        x = b.apply(
            "reshape",
            b.apply("sub", line, ends, name=f"{word}_deltas"),
            name=f"{word}_of_queries",
            shape=(batch, count, side, 2),
        )
        x = b.apply("scale", x, name=f"{word}_wider")
        sign = b.apply("sign", x, name=f"{word}_sign")
        y = b.apply("shift", b.apply("abs", x, name=f"{word}_abs"), name=f"{word}_above_one")
        y = b.apply("mul", sign, b.apply("log2", y, name=f"{word}_log2"), name=f"{word}_signed")
        found[word] = b.apply("scale", y, name=f"{word}_log")
    x = head(b, "box_rpb_embed_x", found["x"], config.hidden_size, heads, 2)
    y = head(b, "box_rpb_embed_y", found["y"], config.hidden_size, heads, 2)
    y = b.apply("reshape", y, name="bias_rows", shape=(batch, count, grid[0], 1, heads))
    x = b.apply("reshape", x, name="bias_columns", shape=(batch, count, 1, grid[1], heads))
    both = b.apply("add", y, x, name="bias_grid")
    both = b.apply("reshape", both, name="bias_places", shape=(batch, count, grid[0] * grid[1], heads))
    found_bias: Value = b.apply(
        "contiguous", b.apply("permute", both, name="bias_heads", dims=(0, 3, 1, 2)), name="bias"
    )
    return found_bias


def xyxy(b: Builder, box: Value, name: str) -> Value:
    """Returns the corners of boxes (…, 4) given by centre and size."""
    parts = [
        b.apply("select", box, name=f"{name}_{word}", dim=-1, index=at) for at, word in enumerate(("x", "y", "w", "h"))
    ]
    sides = []
    for kind in ("sub", "add"):
        for at in (0, 1):
            half = b.apply("scale", parts[at + 2], name=f"{name}_{kind}_half_{at}")
            sides.append(b.apply(kind, parts[at], half, name=f"{name}_{kind}_{at}"))
    rows = [
        b.apply("reshape", side, name=f"{name}_column_{at}", shape=(*side.spec.shape, 1))
        for at, side in enumerate(sides)
    ]
    y: Value = b.apply("concat", *rows, name=name, dim=-1)
    return y

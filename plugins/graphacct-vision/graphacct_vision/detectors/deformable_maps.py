"""What deformable detectors share: maps of one width, flattened, and networks of boxes that layers share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphacct import Builder, ConfigError, Dim, Value, Workload
from graphacct_vision.detectors.conditional_detr import unsquashed
from graphacct_vision.detectors.deformable import BOX
from graphacct_vision.detectors.detr import BOX_LAYERS, positions
from graphacct_vision.parts.layers import convolution, group_norm

GROUPS = 32


def shared(b: Builder, name: str, other: str, out: Dim, width: Dim) -> list[Any]:
    """Returns a weight and a bias that are another module's if it is named."""
    shapes = {"weight": (out, width), "bias": (out,)}
    return [b.parameter(f"{name}.{part}", shape, tied_to=other and f"{other}.{part}") for part, shape in shapes.items()]


def corners(b: Builder, index: int, x: Value, width: Dim, other: str) -> Value:
    """Returns how a box differs from its reference after a layer, before the sigmoid, by a network that is the module
    `other`'s if that is named."""
    with b.scope(f"bbox_embed.{index}"):
        for place in range(BOX_LAYERS):
            last = place + 1 == BOX_LAYERS
            parts = shared(b, f"layers.{place}", other and f"{other}.layers.{place}", BOX if last else width, width)
            x = b.apply("linear", x, *parts, name=f"layers.{place}")
            x = x if last else b.apply("relu", x, name=f"activation_{place}")
    return x


def moved(b: Builder, y: Value, reference: Value, name: str) -> Value:
    """Returns the offsets y of boxes, with their reference points or boxes added, which are made from sigmoids."""
    place = unsquashed(b, reference, f"{name}_reference")
    if reference.spec.shape[-1] == BOX:
        return b.apply("add", y, place, name=f"{name}_moved")
    centre, size = b.apply("split", y, name=f"{name}_parts", parts=2, dim=-1)
    return b.apply("concat", b.apply("add", centre, place, name=f"{name}_centre"), size, name=f"{name}_moved", dim=-1)


def projected(config: Any, b: Builder, handed: Sequence[Value], name: str = "input_proj") -> list[Value]:
    """Returns the maps with the model's channels, and further ones of half the size each."""
    levels = config.num_feature_levels
    given = list(handed) if levels > 1 else list(handed[:1])
    if levels < len(given) or (levels == 1 and len(handed) > 1):
        raise ConfigError(f"the backbone hands on {len(handed)} maps, but num_feature_levels is {levels}")
    found: list[Value] = []
    for level in range(levels):
        extra = level >= len(given)
        x = given[level] if not extra else handed[-1] if level == len(given) else found[-1]
        options: dict[str, Any] = {"kernel": 3, "stride": 2, "padding": 1} if extra else {}
        x = convolution(b, f"{name}.{level}.0", x, config.d_model, bias=True, **options)
        found.append(group_norm(b, f"{name}.{level}.1", x, GROUPS))
    return found


def flattened(
    config: Any, workload: Workload, b: Builder, sources: Sequence[Value], around: str = "", *, centred: bool = True
) -> tuple[Value, Value, Value]:
    """Returns the places of all maps, (batch, places, width), their positions with a number of each map's own, and
    which of them are hidden: none, of whole images. `around` is the scope of the positions, which are of places'
    centres if `centred`."""
    width, levels = config.d_model, len(sources)
    table = b.parameter("level_embed", (levels, width))
    flat, places = [], []
    for level, x in enumerate(sources):
        batch, _, rows, columns = x.spec.shape
        x = b.apply("reshape", x, name=f"flat_{level}", shape=(batch, width, rows * columns))
        flat.append(b.apply("transpose", x, name=f"tokens_{level}", dims=(1, 2)))
        with b.scope(around), b.turn(level):
            place = positions(config, b, batch, (rows, columns), centred=centred)
        own = b.apply("select", table, name=f"level_{level}", dim=0, index=level)
        own = b.apply("reshape", own, name=f"level_row_{level}", shape=(1, 1, width))
        places.append(b.apply("add", place, own, name=f"places_{level}"))
    memory, where = (b.apply("concat", *parts, name=name, dim=1) for parts, name in ((flat, "memory"), (places, "at")))
    hidden = b.apply("full", name="hidden", shape=(workload.batch, memory.spec.shape[1], 1), dtype="bool")
    b.hold(where, hidden)
    return memory, where, hidden

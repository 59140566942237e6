"""The images of a text: a tower, the hidden states of it that are read, and a projector."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from graphacct import Builder, SubModel, Value, Workload
from graphacct_architectures.multimodal.parts.compose import Part
from graphacct_architectures.multimodal.parts.projector import Step, projected
from graphacct_architectures.multimodal.parts.towers import looked


def seen(
    tower: SubModel,
    root: str,
    steps: Sequence[Step],
    *,
    layers: Sequence[int] = (),
    cropped: bool = False,
    module: str = "vision_tower",
    projector: str = "multi_modal_projector",
) -> Part:
    """Returns the images of a text.

    Args:
        tower: The tower.
        root: What the names of both modules begin with.
        steps: The projector's steps.
        layers: The hidden states that are read, beside one another; unless given the tower's last.
        cropped: Whether the class token, an image's first, is left out.
        module: The tower's module.
        projector: The projector's module.
    """

    def features(workload: Workload, b: Builder) -> Value:
        with b.scope(f"{root}{module}"):
            read = looked(tower, of_images(workload), b, layers)
        if cropped:
            read = tuple(without_first(b, x, f"patches_{i}") for i, x in enumerate(read))
        x = b.apply("concat", *read, name="features", dim=-1) if len(read) > 1 else read[0]
        with b.scope(f"{root}{projector}"):
            return projected(b, steps, x)

    return Part("images", features)


def of_images(workload: Workload) -> Workload:
    """Returns the workload of a tower: all images of all sequences at a time, and of each all tiles."""
    assert workload.images is not None  # the architecture declares its default
    tiles = 1 if workload.tiles is None else workload.tiles
    return attrs.evolve(workload, batch=workload.batch * workload.images * tiles)


def without_first(b: Builder, x: Value, name: str) -> Value:
    """Returns an image's tokens without the first, the class token: a view."""
    y: Value = b.apply("slice", x, name=name, dim=1, start=1, length=x.spec.shape[1] - 1)
    return y

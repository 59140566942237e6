"""Experts of which some are for the tokens of a text and others for those of its images, beside a shared network.

Baidu ERNIE Team, "ERNIE 4.5 Technical Report", 2025.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from graphacct import Builder, Dim, Value, Workload, ceil_div, equal, exact_div, frozen, prod
from graphacct_architectures.decoders.parts.decode import serial
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Experts, Mlp
from graphacct_architectures.decoders.parts.description.layer import NOTHING, Layer, Whole
from graphacct_architectures.decoders.parts.feed_forward import experts, mlp
from graphacct_architectures.decoders.parts.norms import normed_by
from graphacct_architectures.layers import resident

FRAMES = 2
"""Frames of a film that become one row of tokens."""


@frozen
class ModalExperts:
    """The experts.

    Attributes:
        text, images: Those of each.
        shared: The network that every token runs through, or None.
        unit: The pixels of each side of what one token stands for; None if images are not told apart.
        module: The module's name.
    """

    text: Experts
    images: Experts
    shared: Mlp | None
    unit: Dim | None = None
    module: str = "mlp"


@frozen
class Settings:
    """A layer, whose network is these experts."""

    layer: Layer
    experts: ModalExperts


def modal(layer: Layer, found: ModalExperts) -> Layer:
    """Returns a layer with these experts in place of its network."""
    return attrs.evolve(layer, whole=Whole(Settings(layer, found), run))


def with_images(d: Decoder, unit: Dim) -> Decoder:
    """Returns the decoder, whose experts tell the tokens of images; each stands for `unit` pixels on a side."""

    def told(layer: Layer) -> Layer:
        if layer.whole is None or not isinstance(layer.whole.settings, Settings):
            return layer
        settings = layer.whole.settings
        return modal(settings.layer, attrs.evolve(settings.experts, unit=unit))

    layers = d.layer if isinstance(d.layer, tuple) else (d.layer,) * int(d.count)
    return attrs.evolve(d, layer=tuple(map(told, layers)))


def run(s: Settings, workload: Workload, b: Builder, x: Value, tables: Mapping[str, Value]) -> Value:
    """Adds the layer."""
    x = serial(attrs.evolve(s.layer, network_instead=NOTHING), workload, b, x, tables)
    y = normed_by(b, s.layer.mlp_norm, x, s.layer.norm)
    with b.scope(s.experts.module):
        y = fed(s.experts, workload, b, y)
    return b.apply("add", y, x, name="mlp_residual")


def fed(e: ModalExperts, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns the experts' outputs, with the shared network's."""
    batch, seq, width = x.spec.shape
    common = None
    if e.shared is not None:
        with b.scope(e.shared.module):
            common = mlp(e.shared, b, x)
    count = seen(e, workload)
    if count is None:
        y = of(e.text, b, x)
        rest(e.images, b, width)
    else:
        found = b.apply("full", name="modality", shape=(batch, seq), dtype="bool")
        y = b.apply("full", name="nothing_yet", shape=x.spec.shape, dtype=x.spec.dtype)
        for part, label, own in ((e.text, "text", batch * seq - count), (e.images, "images", count)):
            mask = b.apply("reshape", found, name=f"{label}_mask", shape=(batch, seq, 1))
            mask = b.apply("expand", mask, name=f"{label}_elements", shape=x.spec.shape)
            rows = b.apply("index", x, mask, name=f"{label}_selected", dims=(0,), count=own * width)
            rows = of(part, b, b.apply("reshape", rows, name=f"{label}_tokens", shape=(1, own, width)))
            flat = b.apply("reshape", rows, name=f"{label}_flat", shape=(own * width,))
            y = b.apply("index_put", y, flat, mask, name=f"{label}_written", dims=(0,), count=own * width)
    return y if common is None else b.apply("add", y, common, name="with_shared")


def of(e: Experts, b: Builder, x: Value) -> Value:
    """Returns the outputs of one kind of experts for all of x."""
    with b.scope(e.module):
        return experts(e, b, x)


def rest(e: Experts, b: Builder, width: Dim) -> None:
    """Adds the parameters of experts that no token runs through."""
    wide = "float32" if e.router_wide else None
    with b.scope(e.module):
        resident(b, f"{e.router}.weight", b.parameter(f"{e.router}.weight", (e.count, width), wide))
        name = f"{e.router}.{e.corrected_by.name}"
        resident(b, name, b.parameter(name, (1, e.count), "float32", frozen=e.corrected_by.frozen))
        with b.scope("experts"):
            resident(b, "gate_up_proj", b.parameter("gate_up_proj", (e.count, 2 * e.width, width), joined=2))
            resident(b, "down_proj", b.parameter("down_proj", (e.count, width, e.width)))


def seen(e: ModalExperts, workload: Workload) -> Dim | None:
    """Returns how many tokens stand for images, or for the pairs of frames of films; None for none."""
    if e.unit is None or workload.phase == "decode" or workload.images is None or equal(workload.images, 0):
        return None
    assert workload.image_size is not None
    sides = [exact_div(side, e.unit, "image_size / pixels of a token") for side in workload.image_size]
    times = 1 if workload.frames is None else ceil_div(workload.frames, FRAMES)
    return workload.batch * workload.images * times * prod(tuple(sides))

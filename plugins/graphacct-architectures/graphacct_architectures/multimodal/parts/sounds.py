"""The sounds of a text: an encoder of sound that is a family of its own, and a projector."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from graphacct import (
    Architecture,
    Builder,
    DeclinedError,
    Dim,
    PresetFiles,
    SubModel,
    Value,
    Workload,
    exact_div,
    fields,
    frozen,
    minimum,
    prod,
    same,
)
from graphacct_architectures.multimodal.parts.compose import Composition, Part
from graphacct_architectures.multimodal.parts.family import composition
from graphacct_architectures.multimodal.parts.projector import Step, projected

LENGTHS = ("frames", "samples")
"""The sizes of a workload that say how long a sound is."""


def audio_model(default: str, keys: Mapping[str, Any] | None = None, **rest: Any) -> Any:
    """Returns the key of an encoder of sound of any family; `default` is its `model_type` unless the file says one,
    `keys` are its keys if the file has none, and `rest` are as in `fields.model`."""
    return fields.model(default, keys=keys, fits=hears, **rest)


def hears(architecture: Any, key: str) -> None:
    """Raises DeclinedError for a family that is no encoder of sound alone."""
    if not any(name in architecture.sizes for name in LENGTHS) or "seq_len" in architecture.sizes:
        raise DeclinedError(
            f"{key}.model_type is {architecture.name!r}, which is not read inside another model: encoders of sound are"
        )


def encoded(encoder: SubModel, workload: Workload, b: Builder) -> Value:
    """Adds an encoder, whose scope the builder is in. Returns what it makes of all sounds of all sequences, (sounds,
    positions, width)."""
    made = encoder.architecture.build(encoder.config, of_sounds(workload), b)
    first: Value = made[0] if isinstance(made, tuple) else made
    return first


def of_sounds(workload: Workload) -> Workload:
    """Returns the workload of an encoder: all sounds at a time, and no cache."""
    assert workload.audios is not None  # the architecture declares its default
    phase = "train" if workload.phase == "train" else "forward"
    return attrs.evolve(workload, batch=workload.batch * workload.audios, phase=phase, loss="sum")


def heard(
    encoder: SubModel,
    root: str,
    steps: Sequence[Step],
    *,
    module: str = "audio_tower",
    projector: str = "multi_modal_projector",
) -> Part:
    """Returns the sounds of a text: `steps` are the projector's, and what both modules are called follows `root`."""

    def features(workload: Workload, b: Builder) -> Value:
        with b.scope(f"{root}{module}"):
            x = encoded(encoder, workload, b)
        b.hold(x)
        with b.scope(f"{root}{projector}"):
            return projected(b, steps, x)

    return Part("audios", features)


@frozen
class Regrouped:
    """The elements of all positions in rows of another width, of each sound or (`together`) of all sounds: a view."""

    width: Dim
    together: bool = False

    def __call__(self, b: Builder, x: Value) -> Value:
        sounds, *rest = x.spec.shape
        elements = prod(x.spec.shape) if self.together else prod(rest)
        rows = exact_div(elements, self.width, "a sound's elements / the projector's input")
        shape = (rows, self.width) if self.together else (sounds, rows, self.width)
        return b.apply("reshape", x, name="regrouped", shape=shape)


@frozen
class Chosen:
    """The rows of each sound that are no padding, by a mask: as many as `count` says, a copy."""

    count: Dim

    def __call__(self, b: Builder, x: Value) -> Value:
        sounds, rows, _ = x.spec.shape
        kept = rows if same(self.count, rows) else minimum(self.count, rows)
        valid = b.apply("full", name="valid", shape=(sounds, rows), dtype="bool")
        return b.apply("index", x, valid, name="kept", dims=(0,), count=sounds * kept)


def sounds_and_text(
    name: str,
    config: type[Any],
    steps: Callable[[Any, Dim], Sequence[Step]],
    file: str,
    text: Callable[[Any], Any],
    *,
    classes: tuple[str, str],
    tied: Callable[[Any], bool],
    doc: str,
    **rest: Any,
) -> Architecture:
    """Returns the Architecture of an encoder of sound (`audio_config`), a projector and a text model: `steps(config,
    width)` returns the projector's for a text of this width, `text(config)` the text model's description."""

    def compose(config: Any, root: str) -> Composition:
        decoder = text(config)
        part = heard(config.audio_config, root, steps(config, decoder.width))
        return Composition(decoder, (part,), f"{root}language_model", tied=tied(config))

    return sounding(name, config, compose, file, lambda config: config.audio_config, classes=classes, doc=doc, **rest)


def sounding(
    name: str,
    config: type[Any],
    compose: Callable[[Any, str], Composition],
    file: str,
    encoder: Callable[[Any], SubModel],
    *,
    classes: tuple[str, str],
    doc: str,
    frames: Callable[[Any], Any] | None = None,
    audios: Callable[[Any], int] = lambda config: 1,
    **rest: Any,
) -> Architecture:
    """Returns the Architecture of a family with sounds, which are as long as its encoder's own unless `frames` says
    how long; a sequence has one unless `audios` says how many."""
    sized = Length(encoder)
    return composition(
        name,
        config,
        compose,
        PresetFiles(file),
        classes=classes,
        image_size=None,
        sizes={"audios": audios, "frames": frames or sized.default},
        per_second={"frames": sized.rate},
        doc=doc,
        **rest,
    )


@frozen
class Length:
    """How long a sound is by default, and how many frames a second of it has, as its encoder's family says."""

    encoder: Callable[[Any], SubModel]

    def default(self, config: Any) -> Any:
        inner = self.encoder(config)
        return inner.architecture.sizes["frames"](inner.config)

    def rate(self, config: Any) -> Any:
        inner = self.encoder(config)
        return inner.architecture.per_second["frames"](inner.config)

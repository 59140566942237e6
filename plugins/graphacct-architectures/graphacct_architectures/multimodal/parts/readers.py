"""Layers of other models that read an image encoder's tokens: Qwen2's, in which queries see the image, and CLIP's."""

from __future__ import annotations

from typing import Any

import attrs

from graphacct import Builder, Dim, Value, Workload, fields, frozen
from graphacct_architectures.decoders.parts.decode import layer
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.norms import normed_by
from graphacct_architectures.decoders.parts.tables import masks, rotary_tables
from graphacct_architectures.decoders.qwen2 import Qwen2Config, describe
from graphacct_architectures.layers import layer_norm
from graphacct_architectures.multimodal import clip
from graphacct_architectures.tower import patch_count, tower


@frozen(kw_only=True)
class QwenLayers(Qwen2Config):
    """The keys of Qwen2's layers."""


@frozen(kw_only=True)
class ClipLayers(clip.VisionConfig):
    """The keys of CLIP's layers, with the sizes of CLIP-L."""

    hidden_size: Dim = fields.size(1024)
    intermediate_size: Dim = fields.size(4096)
    num_hidden_layers: Dim = fields.size(24)
    num_attention_heads: Dim = fields.size(16)
    patch_size: tuple[Dim, Dim] = fields.sides(14)

    @property
    def count(self) -> Dim:
        """How many of an image's tokens have a learned place."""
        return patch_count(self.image_size, self.patch_size)


def through_qwen(config: QwenLayers, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns x (images, tokens, width) after Qwen2's layers, in which tokens at the front see each other; none has a
    window whatever the file says. The builder is in their scope."""
    d = describe(attrs.evolve(config, use_sliding_window=False, layer_types=None))
    assert isinstance(d.layer, Layer)
    assert isinstance(d.layer.attention, Attention)
    kind = attrs.evolve(d.layer, attention=attrs.evolve(d.layer.attention, masked=True))
    d = attrs.evolve(d, layer=kind)
    phase = "train" if workload.phase == "train" else "forward"
    inner = Workload(batch=x.spec.shape[0], seq_len=x.spec.shape[1], attention=workload.attention, phase=phase)
    tables: dict[str, Any] = {**masks(d, inner, b), **rotary_tables(d, inner, b)}
    b.hold(*tables.values())
    x = b.repeat("layers", d.count, layer(inner, tuple(tables), kind), x, constants=tuple(tables.values()))
    return normed_by(b, "norm", x, d.norm_kind)


def through_clip(config: ClipLayers, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns x (images, tokens, width) after CLIP's layers, which see a class token before them too; it is left out.
    The builder is in their scope."""
    images, tokens, width = x.spec.shape
    with b.scope("embeddings"):
        own = b.parameter("class_embedding", (width,))
        token = b.apply("expand", own, name="cls", shape=(images, 1, width))
        x = b.apply("concat", token, x, name="with_cls", dim=1)
        x = clip.positioned(b, x, config.count + 1, config.count + 1)
    x = layer_norm(b, "pre_layrnorm", x)
    with b.scope("encoder"):
        x = tower(clip.described(config), workload, b, x)
    found: Value = b.apply("slice", x, name="without_cls", dim=1, start=1, length=tokens)
    return found

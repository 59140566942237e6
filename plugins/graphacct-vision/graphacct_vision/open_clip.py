"""OpenCLIP: a tower for images and one for texts, from an open_clip_config.json, under the library's own names.

Cherti et al., 2022 (arXiv:2212.07143); Radford et al., 2021 (arXiv:2103.00020). The image tower is a ViT or CLIP's own
ResNet (`modified_resnet.py`). The order of operations is that of open_clip 3.3 (`model.py`, `transformer.py`).
"""

from __future__ import annotations

from typing import Any

import attrs
from graphacct_architectures.decoders import LAYER_NORM, Mlp, Norm
from graphacct_architectures.layers import embedding, layer_norm, linear
from graphacct_architectures.losses import SUM_ALONE
from graphacct_architectures.tower import Tower, check_image, patch_count, patches, tower

from graphacct import (
    Architecture,
    Builder,
    ConfigError,
    Dim,
    PresetFiles,
    Value,
    Workload,
    brief,
    equal,
    exact_div,
    fields,
    frozen,
    same,
)
from graphacct_vision.modified_resnet import STAGES, ModifiedResNet, pooled

POOLS = ("tok", "avg")
TEXT_POOLS = ("argmax", "first", "last", "eos")


def _another(what: str) -> Any:
    """Returns a key whose value, unless it is empty, names a model of another library."""

    def check(value: Any, field: attrs.Attribute[Any]) -> None:
        if value:
            raise ConfigError(f"{field.name} is {brief(value)}: a tower of {what}, which is not read here")

    return fields.checked_field(check, None, metadata=fields.OPTIONAL)


def _layers() -> Any:
    """Returns the key `layers`: how many, or those of a ResNet's four stages."""

    def check(value: Any, field: attrs.Attribute[Any]) -> Any:
        if type(value) is int and 0 < value < 10_000:
            return value
        if (
            not isinstance(value, (list, tuple))
            or len(value) != STAGES
            or not all(type(item) is int and 0 < item < 1000 for item in value)
        ):
            raise ConfigError(
                f"{field.name} is {brief(value)}, neither a number of layers nor those of {STAGES} stages"
            )
        return tuple(value)

    return fields.checked_field(check, 12, metadata=fields.SIZED)


def _ratio() -> Any:
    def check(value: Any, field: attrs.Attribute[Any]) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1000:
            raise ConfigError(f"{field.name} is {brief(value)}, not the network's width over the tower's")
        return float(value)

    return fields.checked_field(check, 4.0)


@frozen(kw_only=True)
class Layers:
    """The keys of both towers."""

    mlp_ratio: float = _ratio()
    ls_init_value: float | None = fields.optional_probability()
    output_tokens: bool = fields.always(False)
    final_ln_after_pool: bool = fields.always(False)
    qk_norm: bool = fields.always(False)
    scaled_cosine_attn: bool = fields.always(False)
    scale_heads: bool = fields.always(False)
    scale_attn_inner: bool = fields.always(False)
    scale_attn: bool = fields.always(False)
    scale_fc: bool = fields.always(False)


@frozen(kw_only=True)
class VisionCfg(Layers):
    """The image tower's keys that the cost depends on."""

    layers: Any = _layers()
    width: Dim = fields.size(768)
    head_width: Dim = fields.size(64)
    patch_size: tuple[Dim, Dim] = fields.sides(16)
    image_size: tuple[Dim, Dim] = fields.sides(224)
    no_ln_pre: bool = fields.flag(False)
    pool_type: str = fields.choice("tok", POOLS)
    pos_embed_type: str = fields.choice("learnable", ("learnable",))
    attentional_pool: bool = fields.always(False)
    patch_dropout: float = fields.probability(0.0)
    timm_model_name: None = _another("timm's")


@frozen(kw_only=True)
class TextCfg(Layers):
    """The text tower's keys that the cost depends on."""

    layers: Dim = fields.size(12)
    context_length: Dim = fields.size(77)
    vocab_size: Dim = fields.size(49408)
    width: Dim = fields.size(512)
    heads: Dim = fields.size(8)
    pool_type: str = fields.choice("argmax", TEXT_POOLS)
    no_causal_mask: bool = fields.flag(False)
    proj_bias: bool = fields.flag(False)
    proj_type: str = fields.choice("linear", ("linear", "none"))
    embed_cls: bool = fields.always(False)
    hf_model_name: None = _another("the transformers library's")


@frozen(kw_only=True)
class OpenCLIPConfig:
    """The keys of `model_cfg` in an open_clip_config.json that the cost depends on."""

    embed_dim: Dim = fields.size(512)
    vision_cfg: VisionCfg | None = fields.nested(VisionCfg, "open_clip")
    text_cfg: TextCfg | None = fields.nested(TextCfg, "open_clip")
    quick_gelu: bool = fields.flag(False)
    custom_text: bool = fields.flag(False)
    multimodal_cfg: None = _another("a captioner")
    dtype: str | None = fields.dtype()

    @property
    def vision(self) -> VisionCfg:
        """The image tower."""
        return self.vision_cfg or VisionCfg()

    @property
    def text(self) -> TextCfg:
        """The text tower."""
        return self.text_cfg or TextCfg()


def build(config: OpenCLIPConfig, workload: Workload, b: Builder) -> tuple[Value, ...]:
    """Returns the graph from images and texts to an embedding of each, both normalized, and the factor of their
    similarities."""
    with b.scope("visual"):
        image = (resnet if isinstance(config.vision.layers, tuple) else vit)(config, workload, b)
    with b.scope("text" if config.custom_text else ""):
        text = texts(config, workload, b)
    factor = b.apply("exp", b.parameter("logit_scale", ()), name="factor")
    return normalized(b, image, "image"), normalized(b, text, "text"), factor


def described(config: OpenCLIPConfig, c: VisionCfg | TextCfg, heads: Dim, causal: bool) -> Tower:
    """Returns the layers of a tower."""
    width = c.width * c.mlp_ratio if type(c.width) is int else 0
    if not width:
        raise ConfigError(f"width is {c.width}: give a number, which mlp_ratio multiplies")
    act = "quick_gelu" if config.quick_gelu else "gelu"
    scales = ("", "") if c.ls_init_value is None else ("ls_1.gamma", "ls_2.gamma")
    return Tower(
        c.layers,
        heads,
        Mlp(int(width), act, gated=False, up="c_fc", act="gelu", down="c_proj", bias=True),
        stack="transformer.resblocks",
        attention="attn",
        out="out_proj",
        norms=("ln_1", "ln_2"),
        norm=Norm(LAYER_NORM, bias=True),
        causal=causal,
        stream_first=True,
        softmax_upcast=False,
        joint="in_proj",
        flat=True,
        scales=scales,
    )


def vit(config: OpenCLIPConfig, workload: Workload, b: Builder) -> Value:
    """Returns each image's embedding from a ViT."""
    c = config.vision
    image = check_image(workload.image_size, c.image_size, "vision_cfg.image_size")
    pixels = b.input("image", (workload.batch, 3, *image))
    x = patches(b, "conv1", pixels, c.width, c.patch_size, bias=False)
    own = b.parameter("class_embedding", (c.width,))
    token = b.apply("expand", own, name="cls", shape=(workload.batch, 1, c.width))
    x = b.apply("concat", token, x, name="with_cls", dim=1)
    count = patch_count(image, c.patch_size) + 1
    x = b.apply("add", x, b.parameter("positional_embedding", (count, c.width)), name="with_positions")
    if workload.phase == "train" and c.patch_dropout:
        raise ConfigError(f"patch_dropout is {c.patch_dropout}: which patches a training step drops is not modelled")
    x = x if c.no_ln_pre else layer_norm(b, "ln_pre", x)
    heads = exact_div(c.width, c.head_width, "width / head_width")
    x = layer_norm(b, "ln_post", tower(described(config, c, heads, False), workload, b, x))
    if c.pool_type == "avg":
        x = b.apply("slice", x, name="patches", dim=1, start=1, length=count - 1)
        x = b.apply("mean", x, name="pooled", dim=1)
    else:
        x = b.apply("select", x, name="pooled", dim=1)
    found: Value = b.apply("matmul", x, b.parameter("proj", (c.width, config.embed_dim)), name="projected")
    return found


def resnet(config: OpenCLIPConfig, workload: Workload, b: Builder) -> Value:
    """Returns each image's embedding from CLIP's own ResNet."""
    c = config.vision
    side = check_image(workload.image_size, c.image_size, "vision_cfg.image_size")
    if not same(*side):
        raise ConfigError(f"image_size {side[0]}x{side[1]}: the ResNet's positions are those of a square")
    heads = exact_div(c.width * 32, c.head_width, "width * 32 / head_width")
    kind = ModifiedResNet(c.layers, c.width, heads, config.embed_dim, side[0])
    return pooled(kind, workload, b, b.input("image", (workload.batch, 3, *side)))


def texts(config: OpenCLIPConfig, workload: Workload, b: Builder) -> Value:
    """Returns each text's embedding."""
    c = config.text
    batch, seq = workload.batch, workload.seq_len
    if not equal(seq, c.context_length):
        raise ConfigError(f"seq_len {seq} is not text_cfg.context_length {c.context_length}, which every text has")
    ids = b.input("text", (batch, seq), "int64")
    x = embedding(b, "token_embedding", ids, c.vocab_size, c.width)
    x = b.apply("add", x, b.parameter("positional_embedding", (seq, c.width)), name="with_positions")
    x = tower(described(config, c, c.heads, not c.no_causal_mask), workload, b, x)
    x = layer_norm(b, "ln_final", x)
    if c.pool_type in ("first", "last"):
        last = {} if c.pool_type == "first" else {"index": -1}
        x = b.apply("select", x, name="pooled", dim=1, **last)
    else:
        rows = b.apply("reshape", b.apply("arange", name="row_ids", n=batch), name="rows", shape=(batch,))
        x = b.apply("index_pairs", x, rows, b.apply("argmax", ids, name="last"), name="pooled")
    if c.proj_type == "none":
        return x
    if c.proj_bias:
        return linear(b, "text_projection", x, config.embed_dim)
    found: Value = b.apply("matmul", x, b.parameter("text_projection", (c.width, config.embed_dim)), name="projected")
    return found


def normalized(b: Builder, x: Value, label: str) -> Value:
    """Returns each row divided by its length."""
    length = b.apply("vector_norm", x, name=f"{label}_length", dim=-1, keepdim=True)
    length = b.apply(
        "expand", b.apply("clamp", length, name=f"{label}_clamped"), name=f"{label}_lengths", shape=x.spec.shape
    )
    found: Value = b.apply("div", x, length, name=f"{label}_normalized")
    return found


ARCHITECTURE = Architecture(
    "open_clip",
    OpenCLIPConfig,
    build,
    PresetFiles(__file__),
    sizes={
        "seq_len": lambda config: config.text.context_length,
        "image_size": lambda config: config.vision.image_size,
    },
    attention=("fused", "eager"),
    dtype="float32",
    no_cost=dict.fromkeys(("init_logit_scale", "nonscalar_logit_scale")),
    model_types=("open_clip",),
    losses=SUM_ALONE,
    doc="OpenCLIP: a ViT or ResNet for images and a Transformer for texts, from an open_clip_config.json.",
)

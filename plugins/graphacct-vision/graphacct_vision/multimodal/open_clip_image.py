"""OpenCLIP's towers for images: a ViT, CLIP's own ResNet, or a model of timm's (open_clip's `transformer.py`,
`modified_resnet.py` and `timm_model.py`)."""

from __future__ import annotations

import attrs
from graphacct_architectures.decoders import LAYER_NORM, Mlp, Norm
from graphacct_architectures.layers import dropped, layer_norm, linear
from graphacct_architectures.losses import SUM
from graphacct_architectures.tower import Tower, check_image, patch_count, patches, tower

from graphacct import Builder, ConfigError, Dim, Value, Workload, exact_div, same
from graphacct_vision.multimodal.attentional_pool import pooled as attention_pooled
from graphacct_vision.multimodal.modified_resnet import ModifiedResNet
from graphacct_vision.multimodal.modified_resnet import pooled as resnet_pooled
from graphacct_vision.multimodal.open_clip_cfg import Layers, VisionCfg
from graphacct_vision.parts.inner_backbone import Inside

KEY = "vision_cfg.image_size"


def encoded(c: VisionCfg, outputs: Dim, workload: Workload, b: Builder, *, quick: bool) -> tuple[Value, Value | None]:
    """Returns each image's embedding (batch, outputs), and the tokens beside it if the tower is a ViT; the builder is
    in the tower's scope. `quick` says that the file has quick_gelu."""
    if c.timm_model is not None:
        return by_timm(c, outputs, workload, b), None
    image = check_image(workload.image_size, c.image_size, KEY)
    pixels = b.input("image", (workload.batch, 3, *image))
    if not isinstance(c.layers, tuple):
        return vit(c, outputs, workload, b, pixels, quick=quick)
    if not same(*image):
        raise ConfigError(f"image_size {image[0]}x{image[1]}: the ResNet's positions are those of a square")
    heads = exact_div(c.width * 32, c.head_width, "width * 32 / head_width")
    return resnet_pooled(ModifiedResNet(c.layers, c.width, heads, outputs, image[0]), workload, b, pixels), None


def described(c: Layers, layers: Dim, width: Dim, heads: Dim, act: str, *, causal: bool = False) -> Tower:
    """Returns the layers of a tower."""
    if type(width) is not int:
        raise ConfigError(f"width is {width}: give a number, which mlp_ratio multiplies")
    return Tower(
        layers,
        heads,
        Mlp(int(width * c.mlp_ratio), act, gated=False, up="c_fc", act="gelu", down="c_proj", bias=True),
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
        scales=("", "") if c.ls_init_value is None else ("ls_1.gamma", "ls_2.gamma"),
    )


def vit(
    c: VisionCfg, outputs: Dim, workload: Workload, b: Builder, pixels: Value, *, quick: bool
) -> tuple[Value, Value]:
    """Returns each image's embedding from a ViT, and the tokens beside it."""
    x = patches(b, "conv1", pixels, c.width, c.patch_size, bias=False)
    own = b.parameter("class_embedding", (c.width,))
    token = b.apply("expand", own, name="cls", shape=(workload.batch, 1, c.width))
    x = b.apply("concat", token, x, name="with_cls", dim=1)
    height, width = pixels.spec.shape[2:]
    count = patch_count((height, width), c.patch_size) + 1
    fixed = c.pos_embed_type == "sin_cos_2d"
    if fixed and not same(
        *(exact_div(side, step, KEY) for side, step in zip((height, width), c.patch_size, strict=True))
    ):
        raise ConfigError(f"image_size {height}x{width}: positions of sines are those of a square")
    table = b.parameter("positional_embedding", (count, c.width), frozen=fixed)
    x = b.apply("add", x, table, name="with_positions")
    if workload.phase == "train" and c.patch_dropout:
        x = kept(c.patch_dropout, workload, b, x)
    x = x if c.no_ln_pre else layer_norm(b, "ln_pre", x)
    heads = exact_div(c.width, c.head_width, "width / head_width")
    x = tower(described(c, c.layers, c.width, heads, c.act(quick=quick)), workload, b, x)
    x, tokens = read(c, outputs, workload, b, x)
    size = x.spec.shape[-1]
    return b.apply("matmul", x, b.parameter("proj", (size, outputs)), name="projected"), tokens


def kept(dropout: float, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns the class token and the patches that a training step keeps, drawn anew for each image."""
    batch, count, _ = x.spec.shape
    if type(count) is not int:
        raise ConfigError(f"{count} patches: give an image_size in numbers, of whose patches patch_dropout drops some")
    first = b.apply("slice", x, name="cls_alone", dim=1, start=0, length=1)
    rest = b.apply("slice", x, name="patches_alone", dim=1, start=1, length=count - 1)
    left = max(1, int((count - 1) * (1 - dropout)))
    noise = b.apply("random", name="noise", shape=(batch, count - 1), dtype="float32")
    _, places = b.apply("topk", noise, name="kept", k=left)
    rows = b.apply("reshape", b.apply("arange", name="image_ids", n=batch), name="images", shape=(batch, 1))
    chosen = b.apply("index", rest, rows, places, name="patches_kept", dims=(0, 1))
    found: Value = b.apply("concat", first, chosen, name="tokens_kept", dim=1)
    return found


def read(c: VisionCfg, outputs: Dim, workload: Workload, b: Builder, x: Value) -> tuple[Value, Value]:
    """Returns what stands for each image of a ViT's tokens, and the tokens beside it, normalized before or after."""
    if c.attentional_pool:
        with b.scope("attn_pool"):
            x = attention_pooled(workload, b, x, c.attn_pooler_queries, c.attn_pooler_heads, outputs)
    elif c.final_ln_after_pool:
        x, tokens = split(c.pool_type, b, x)
        return layer_norm(b, "ln_post", x), tokens
    return split(c.pool_type, b, layer_norm(b, "ln_post", x))


def split(pool: str, b: Builder, x: Value) -> tuple[Value, Value]:
    """Returns what stands for the image of tokens (batch, count, width), and the others."""
    if pool == "none":
        return x, x
    others = b.apply("slice", x, name="patches", dim=1, start=1, length=x.spec.shape[1] - 1)
    if pool == "avg":
        return b.apply("mean", others, name="pooled", dim=1), others
    return b.apply("select", x, name="pooled", dim=1), others


def by_timm(c: VisionCfg, outputs: Dim, workload: Workload, b: Builder) -> Value:
    """Returns each image's embedding from a model of timm's: its own head, or a projection of what it pools."""
    assert c.timm_model is not None
    assert workload.image_size is not None
    pixels = b.input("image", (workload.batch, 3, *workload.image_size))
    model = c.timm_model
    with b.inside("trunk"):
        inner = attrs.evolve(workload, loss=SUM, seq_len=None)
        x = model.architecture.build(model.config, inner, Inside(b, pixels))
    assert isinstance(x, Value)
    with b.scope("head"):
        if c.timm_proj == "linear":
            return linear(b, "proj", dropped(b, "drop", x, c.timm_drop, workload), outputs, bias=c.timm_proj_bias)
        if c.timm_proj == "mlp":
            with b.scope("mlp"):
                x = b.apply("gelu", linear(b, "fc1", x, 2 * outputs), name="act")
                return linear(b, "fc2", dropped(b, "drop1", x, c.timm_drop, workload), outputs, bias=c.timm_proj_bias)
    return x

"""MAE: ViT over the patches that a random mask leaves, and a small decoder that draws the others.

He et al., 2021 (arXiv:2111.06377).
"""

from __future__ import annotations

from graphacct_architectures.activations import activation
from graphacct_architectures.layers import layer_norm, linear
from graphacct_architectures.losses import SUM_ALONE
from graphacct_architectures.tower import check_image, patch_count, patches, tower
from graphacct_architectures.vit_layers import vit_layers

from graphacct import Architecture, Builder, ConfigError, Dim, PresetFiles, Value, Workload, exact_div, fields, frozen

CLASSES = ("ViTMAEModel", "ViTMAEForPreTraining")


@frozen(kw_only=True)
class ViTMAEConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    hidden_size: Dim = fields.size(768)
    num_hidden_layers: Dim = fields.size(12)
    num_attention_heads: Dim = fields.size(12)
    intermediate_size: Dim = fields.size(3072)
    hidden_act: str = activation("gelu")
    hidden_dropout_prob: float = fields.probability(0.0)
    attention_probs_dropout_prob: float = fields.probability(0.0)
    image_size: tuple[Dim, Dim] = fields.sides(224)
    patch_size: Dim = fields.size(16)
    num_channels: Dim = fields.size(3)
    qkv_bias: bool = fields.flag(True)
    head_dim: Dim | None = fields.optional_size()
    decoder_num_attention_heads: Dim = fields.size(16)
    decoder_hidden_size: Dim = fields.size(512)
    decoder_num_hidden_layers: Dim = fields.size(8)
    decoder_intermediate_size: Dim = fields.size(2048)
    mask_ratio: float = fields.probability(0.75)
    norm_pix_loss: bool = fields.flag(False)
    dtype: str | None = fields.dtype()

    @property
    def patch_count(self) -> Dim:
        """How many patches an image has."""
        return patch_count(self.image_size, (self.patch_size, self.patch_size))

    @property
    def kept(self) -> int:
        """How many patches of an image the mask leaves."""
        if type(self.patch_count) is not int:
            raise ConfigError("mask_ratio is of a number of patches: image_size and patch_size are integers")
        return int(self.patch_count * (1 - self.mask_ratio))


def build(config: ViTMAEConfig, workload: Workload, b: Builder) -> Value:
    """Returns the graph from pixels to the tokens that are left, or to the pixels of every patch."""
    image = check_image(workload.image_size, config.image_size)
    pixels = b.input("pixel_values", (workload.batch, config.num_channels, *image))
    if config.architectures == CLASSES[0]:
        return encoded(config, workload, b, pixels)[0]
    with b.scope("vit"):
        x, mask, places = encoded(config, workload, b, pixels)
    with b.scope("decoder"):
        logits = decoded(config, workload, b, x, places)
    own_loss(config, b, pixels, logits, mask)
    return logits


def encoded(config: ViTMAEConfig, workload: Workload, b: Builder, pixels: Value) -> tuple[Value, Value, Value]:
    """Returns the class token and the patches that are left, normalized; what is masked; and each patch's place."""
    width, batch, count = config.hidden_size, workload.batch, config.patch_count
    with b.scope("embeddings"):
        with b.scope("patch_embeddings"):
            x = patches(b, "projection", pixels, width, (config.patch_size, config.patch_size), bias=True)
        table = b.parameter("position_embeddings", (1, count + 1, width), frozen=True)
        own = b.apply("slice", table, name="positions_of_patches", dim=1, start=1, length=count)
        x = b.apply("add", x, own, name="with_positions")
        noise = b.apply("random", name="noise", shape=(batch, count), dtype="float32")
        shuffled = b.apply("argsort", noise, name="ids_shuffle", dim=1)
        places = b.apply("argsort", shuffled, name="ids_restore", dim=1)
        left = b.apply("slice", shuffled, name="ids_keep", dim=1, start=0, length=config.kept)
        x = chosen(b, x, left, "kept")
        mask = b.apply("full", name="mask", shape=(batch, count), dtype="float32")
        mask = b.apply("gather", mask, places, name="mask_in_place", dim=1)
        first = b.apply("slice", table, name="position_of_cls", dim=1, start=0, length=1)
        token = b.apply("add", b.parameter("cls_token", (1, 1, width)), first, name="cls")
        token = b.apply("expand", token, name="cls_of_batch", shape=(batch, 1, width))
        x = b.apply("concat", token, x, name="tokens", dim=1)
    b.hold(x)
    x = tower(vit_layers(config, softmax_upcast=False), workload, b, x)
    return layer_norm(b, "layernorm", x), mask, places


def chosen(b: Builder, x: Value, places: Value, name: str) -> Value:
    """Returns the tokens of x (batch, tokens, width) at the places (batch, count)."""
    batch, count = places.spec.shape
    each = b.apply("reshape", places, name=f"{name}_places", shape=(batch, count, 1))
    each = b.apply("repeat", each, name=f"{name}_of_channels", times=(1, 1, x.spec.shape[-1]))
    found: Value = b.apply("gather", x, each, name=name, dim=1)
    return found


def decoded(config: ViTMAEConfig, workload: Workload, b: Builder, x: Value, places: Value) -> Value:
    """Returns the pixels of each patch, (batch, patches, patch² * channels)."""
    batch, width, count = workload.batch, config.decoder_hidden_size, config.patch_count
    x = linear(b, "decoder_embed", x, width)
    masked = b.parameter("mask_token", (1, 1, width))
    rest = b.apply("repeat", masked, name="mask_tokens", times=(batch, count - config.kept, 1))
    given = b.apply("slice", x, name="given", dim=1, start=1, length=config.kept)
    every = chosen(b, b.apply("concat", given, rest, name="shuffled", dim=1), places, "in_place")
    x = b.apply("concat", b.apply("slice", x, name="cls", dim=1, start=0, length=1), every, name="tokens", dim=1)
    table = b.parameter("decoder_pos_embed", (1, count + 1, width), frozen=True)
    x = b.apply("add", x, table, name="with_positions")
    kind = vit_layers(
        config,
        config.decoder_num_hidden_layers,
        config.decoder_intermediate_size,
        heads=config.decoder_num_attention_heads,
        stack="decoder_layers",
        softmax_upcast=False,
    )
    x = layer_norm(b, "decoder_norm", tower(kind, workload, b, x))
    x = linear(b, "decoder_pred", x, config.patch_size**2 * config.num_channels)
    return b.apply("slice", x, name="pixels", dim=1, start=1, length=count)


def own_loss(config: ViTMAEConfig, b: Builder, pixels: Value, logits: Value, mask: Value) -> None:
    """Adds the mean squared error of the masked patches, which the library's class computes in every run."""
    batch, channels, height, width = pixels.spec.shape
    step = config.patch_size
    grid = (exact_div(height, step, "image_size / patch_size"), exact_div(width, step, "image_size / patch_size"))
    x = b.apply("reshape", pixels, name="squares", shape=(batch, channels, grid[0], step, grid[1], step))
    x = b.apply("permute", x, name="squares_first", dims=(0, 2, 4, 3, 5, 1))
    x = b.apply("reshape", x, name="target", shape=(batch, grid[0] * grid[1], step**2 * channels))
    if config.norm_pix_loss:
        mean = b.apply("mean", x, name="target_mean", dim=-1, keepdim=True)
        spread = b.apply("var", x, name="target_var", dim=-1, keepdim=True)
        spread = b.apply("pow", b.apply("shift", spread, name="above_zero"), name="target_spread", exponent=0.5)
        x = b.apply("div", b.apply("sub", x, mean, name="centred"), spread, name="target_normalized")
    x = b.apply("square", b.apply("sub", logits, x, name="difference"), name="squared")
    x = b.apply("mean", x, name="error_of_patches", dim=-1)
    total = b.apply("sum", b.apply("mul", x, mask, name="error_of_masked"), name="error")
    b.apply("div", total, b.apply("sum", mask, name="masked"), name="own_loss")


ARCHITECTURE = Architecture(
    "vit_mae",
    ViTMAEConfig,
    build,
    PresetFiles(__file__),
    sizes={"image_size": lambda config: config.image_size},
    attention=("fused", "eager"),
    dtype="float32",
    aliases={"torch_dtype": "dtype"},
    model_types=("vit_mae",),
    losses=SUM_ALONE,
    doc="MAE: ViT over the patches that a random mask leaves, and a decoder that draws the others.",
)

"""ViTs of timm's by their names: plain ones and DeiT, CLIP's and SigLIP's towers, DINOv2's and v3's, EVA, BEiT, AIMv2
and others (Dosovitskiy et al., 2020, arXiv:2010.11929; Touvron et al., 2022, arXiv:2204.07118; Zhai et al., 2023,
arXiv:2303.15343; Fang et al., 2023, arXiv:2303.11331; Bao et al., 2021, arXiv:2106.08254; timm's
models/vision_transformer.py, deit.py, eva.py and beit.py)."""

from __future__ import annotations

from graphacct_architectures.layers import layer_norm, linear, rms_norm
from graphacct_architectures.tower import check_image, patch_count, patches

from graphacct import Builder, Dim, Value, Workload, equal, floor_div, frozen
from graphacct_vision.timm.tables import plain, settings
from graphacct_vision.timm.transformer import Layers, pooled, stack


@frozen(kw_only=True)
class TimmViT:
    """A ViT of timm's.

    Attributes:
        width: The width of a token.
        layers: Layers.
        heads: Heads of attention.
        patch: Height and width of a patch.
        image: Height and width of an image, or both.
        any_image: Whether images of other sizes are taken too.
        ratio: The network's hidden width in widths of a token.
        align: What the hidden width is raised to a multiple of, 0 for none.
        act: The networks' activation.
        network: `plain`, `packed` or `apart`, as of Layers.
        halved: Whether the ratio is that of both halves of a packed network.
        class_token: Whether a token beside the patches stands for the image.
        distilled: Whether a second one is read by a head of its own.
        registers: Tokens beside those that nothing reads.
        positions: `all` tokens have learned positions, `patches` alone, or `none`.
        turned: Whether attention rotates patches by their places.
        near: Whether each layer has learned numbers for pairs of patches.
        qkv: As of Layers.
        bias: Whether the projections of queries, keys and values have biases.
        out_bias: Whether all other layers' projections have them.
        head_norm: As of Layers.
        values_norm: As of Layers.
        hidden_norm: As of Layers.
        post: As of Layers.
        scales: `ls` or `gamma`, the names of learned scales of each branch; empty for none.
        rms: Whether norms are RMSNorms.
        patch_norm: Whether patches are normalized when they are embedded.
        first_norm: Whether a norm stands before the layers, and the patches have no bias.
        last_norm: Whether a norm stands after the layers.
        pooled_norm: Whether a norm stands after the pool.
        pool: `token`, `avg` (of the patches) or `map` (what a learned query reads).
        pool_all: Whether that query reads the tokens beside the patches too.
        pool_heads: Its heads, 0 for the layers' number.
        pool_ratio: The hidden width of its network in widths of a token, 0 for the layers' ratio.
    """

    width: int = 768
    layers: int = 12
    heads: int = 12
    patch: int = 16
    image: int | tuple[int, int] = 224
    any_image: bool = False
    ratio: float = 4.0
    align: int = 0
    act: str = "gelu"
    network: str = "plain"
    halved: bool = False
    class_token: bool = True
    distilled: bool = False
    registers: int = 0
    positions: str = "all"
    turned: bool = False
    near: bool = False
    qkv: str = "joint"
    bias: bool = True
    out_bias: bool = True
    head_norm: bool = False
    values_norm: bool = False
    hidden_norm: bool = False
    post: bool = False
    scales: str = ""
    rms: bool = False
    patch_norm: bool = False
    first_norm: bool = False
    last_norm: bool = True
    pooled_norm: bool = False
    pool: str = "token"
    pool_all: bool = False
    pool_heads: int = 0
    pool_ratio: float = 0.0

    @property
    def learned_pool(self) -> bool:
        """Whether what pools the tokens has weights."""
        return self.pool == "map" or self.pooled_norm

    @property
    def sides(self) -> tuple[int, int]:
        """Height and width of an image."""
        return self.image if isinstance(self.image, tuple) else (self.image, self.image)

    @property
    def front(self) -> int:
        """How many tokens stand before the patches."""
        return self.class_token + self.distilled + self.registers

    def stack(self) -> Layers:
        """Returns the layers."""
        hidden = int(self.width * self.ratio)
        hidden = hidden // 2 if self.halved else hidden
        hidden += -hidden % self.align if self.align else 0
        names = {"ls": ("ls1.gamma", "ls2.gamma"), "gamma": ("gamma_1", "gamma_2"), "": ("", "")}
        return Layers(
            layers=self.layers,
            heads=self.heads,
            hidden=hidden,
            act=self.act,
            network=self.network,
            rms=self.rms,
            qkv=self.qkv,
            bias=self.bias,
            out_bias=self.out_bias,
            head_norm=self.head_norm,
            values_norm=self.values_norm,
            hidden_norm=self.hidden_norm,
            scales=names[self.scales],
            post=self.post,
            front=self.front,
            window=(self.sides[0] // self.patch, self.sides[1] // self.patch) if self.near else None,
        )


def named(name: str) -> TimmViT | None:
    """Returns the ViT of a name, which may have the tag of its weights; None if it is of no such name."""
    found = settings("vit").get(plain(name))
    return None if found is None else TimmViT(**found)


def build(kind: TimmViT, workload: Workload, b: Builder, pixels: Value, labels: Dim) -> tuple[Value, Value]:
    """Returns the tokens, normalized, and the logits of what is pooled of them."""
    x = embedded(kind, workload, b, pixels)
    norm = rms_norm if kind.rms else layer_norm
    x = norm(b, "norm_pre", x) if kind.first_norm else x
    turns = angles(kind, b, pixels) if kind.turned else ()
    x = stack(kind.stack(), workload, b, x, turns)
    x = norm(b, "norm", x) if kind.last_norm else x
    first = summary(kind, workload, b, x)
    first = norm(b, "fc_norm", first) if kind.pooled_norm else first
    if kind.distilled:
        second = b.apply("select", x, name="second", dim=1, index=1)
        parts = (first, second)
        if not equal(labels, 0):
            parts = (linear(b, "head", first, labels), linear(b, "head_dist", second, labels))
        return x, b.apply("scale", b.apply("add", *parts, name="both"), name="mean_of_both")
    return x, first if equal(labels, 0) else linear(b, "head", first, labels)


def embedded(kind: TimmViT, workload: Workload, b: Builder, pixels: Value) -> Value:
    """Returns the patches after the tokens that are learned, with their positions."""
    step, width = (kind.patch, kind.patch), kind.width
    image = pixels.spec.shape[2:]
    if kind.positions != "none" or not kind.any_image:
        check_image((image[0], image[1]), kind.sides, "architecture's image")
    with b.scope("patch_embed"):
        x = patches(b, "proj", pixels, width, step, bias=not kind.first_norm)
        x = (rms_norm if kind.rms else layer_norm)(b, "norm", x) if kind.patch_norm else x
    own = {"cls_token": int(kind.class_token), "dist_token": int(kind.distilled), "reg_token": kind.registers}
    tokens = [
        b.apply("expand", b.parameter(name, (1, count, width)), name=f"{name}s", shape=(workload.batch, count, width))
        for name, count in own.items()
        if count
    ]
    learned = patch_count((image[0], image[1]), step) + (kind.front if kind.positions == "all" else 0)
    if kind.positions == "patches":
        x = b.apply("add", x, b.parameter("pos_embed", (1, learned, width)), name="with_positions")
    x = b.apply("concat", *tokens, x, name="with_tokens", dim=1) if tokens else x
    if kind.positions == "all":
        x = b.apply("add", x, b.parameter("pos_embed", (1, learned, width)), name="with_positions")
    return x


def angles(kind: TimmViT, b: Builder, pixels: Value) -> tuple[Value, ...]:
    """Returns the cosines and sines of each patch's row and column, which timm makes once for an image's size."""
    rows, columns = (floor_div(side, kind.patch) for side in pixels.spec.shape[2:])
    shape = (rows * columns, kind.width // kind.heads)
    return tuple(b.apply("constant", name=f"rope.{word}", shape=shape, dtype=b.dtype) for word in ("cos", "sin"))


def summary(kind: TimmViT, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns what is pooled of the tokens."""
    found: Value
    if kind.pool == "token":
        found = b.apply("select", x, name="first", dim=1)
        return found
    if kind.front and not kind.pool_all:
        count = x.spec.shape[1] - kind.front
        x = b.apply("slice", x, name="patches", dim=1, start=kind.front, length=count)
    if kind.pool == "avg":
        found = b.apply("mean", x, name="pooled", dim=1)
        return found
    with b.scope("attn_pool"):
        hidden = int(kind.width * (kind.pool_ratio or kind.ratio))
        return pooled(workload, b, x, kind.pool_heads or kind.heads, hidden, kind.act, rms=kind.rms)

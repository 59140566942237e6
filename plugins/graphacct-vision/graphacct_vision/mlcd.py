"""MLCD: CLIP's image tower with rotated queries and keys (An et al., 2024, arXiv:2407.17331)."""

from __future__ import annotations

import attrs
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.decoders import Mlp, mlp
from graphacct_architectures.layers import layer_norm, linear
from graphacct_architectures.losses import SUM_ALONE
from graphacct_architectures.tower import Tower, attended, patches

from graphacct import Architecture, Builder, ConfigError, Dim, PresetFiles, Value, Workload, equal, exact_div, fields

CLASSES = ("MLCDVisionModel",)


@attrs.frozen(kw_only=True)
class MLCDConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    hidden_size: Dim = fields.size(1664)
    intermediate_size: Dim = fields.size(8192)
    num_hidden_layers: Dim = fields.size(48)
    num_attention_heads: Dim = fields.size(16)
    num_key_value_groups: Dim = fields.size(1)
    num_channels: Dim = fields.size(3)
    image_size: tuple[Dim, Dim] = fields.sides(336)
    patch_size: tuple[Dim, Dim] = fields.sides(14)
    hidden_act: str = activation("gelu")
    attention_dropout: float = fields.probability(0.0)
    dtype: str | None = fields.dtype()

    def __attrs_post_init__(self) -> None:
        if not equal(self.num_key_value_groups, 1):
            raise ConfigError(
                f"num_key_value_groups is {self.num_key_value_groups}: the library's class has as many keys as queries"
            )


def build(config: MLCDConfig, workload: Workload, b: Builder) -> tuple[Value, Value]:
    """Returns the graph from pixels to the tokens after all layers, and the class token, normalized."""
    assert workload.image_size is not None  # the architecture declares its default
    pixels = b.input("pixel_values", (workload.batch, config.num_channels, *workload.image_size))
    width = config.hidden_size
    d_head = exact_div(width, config.num_attention_heads, "hidden_size / num_attention_heads")
    with b.scope("embeddings"):
        x = patches(b, "patch_embedding", pixels, width, config.patch_size, bias=False)
        token = b.parameter("class_embedding", (width,))
        token = b.apply("expand", token, name="cls", shape=(workload.batch, 1, width))
        x = b.apply("concat", token, x, name="with_cls", dim=1)
    x = layer_norm(b, "pre_layrnorm", x)
    turns = angles(b, x.spec.shape[1], d_head)
    act = ACTIVATIONS[config.hidden_act]
    kind = Tower(
        config.num_hidden_layers,
        config.num_attention_heads,
        Mlp(config.intermediate_size, act, gated=False, up="fc1", down="fc2", bias=True),
        stack="layers",
        attention="self_attn",
        out="out_proj",
        norms=("layer_norm1", "layer_norm2"),
        attention_dropout=config.attention_dropout,
    )

    def body(b: Builder, x: Value, cosine: Value, sine: Value) -> Value:
        y = layer_norm(b, "layer_norm1", x)
        with b.scope("self_attn"):
            y = attention(kind, workload, b, y, d_head, cosine, sine)
        x = b.apply("add", x, y, name="attn_residual")
        y = layer_norm(b, "layer_norm2", x)
        with b.scope("mlp"):
            y = mlp(kind.mlp, b, y)
        return b.apply("add", x, y, name="mlp_residual")

    with b.scope("encoder"):
        x = b.repeat("layers", config.num_hidden_layers, body, x, constants=turns)
    return x, layer_norm(b, "post_layernorm", b.apply("select", x, name="first", dim=1))


def angles(b: Builder, count: Dim, d_head: Dim) -> tuple[Value, Value]:
    """Returns cosines and sines (1, 1, tokens, d_head) in float32: learned ones of the class token, those of rows and
    columns of the patches."""
    own = b.parameter("class_pos_emb", (1, exact_div(d_head, 2, "width of a head / 2")))
    own = b.apply("concat", own, own, name="class_angles", dim=-1)
    found = []
    for word in ("cos", "sin"):
        first = b.apply(word, own, name=f"class_{word}")
        first = b.apply("cast", first, name=f"class_{word}_wide", dtype="float32") if b.dtype != "float32" else first
        rest = b.apply("constant", name=f"patches_{word}", shape=(count - 1, d_head), dtype="float32")
        both = b.apply("concat", first, rest, name=f"{word}_of_tokens", dim=0)
        found.append(b.apply("reshape", both, name=word, shape=(1, count, 1, d_head)))
    return found[0], found[1]


def attention(kind: Tower, workload: Workload, b: Builder, x: Value, d_head: Dim, cosine: Value, sine: Value) -> Value:
    """Returns attention among tokens, whose queries and keys are rotated in float32."""
    batch, seq, width = x.spec.shape
    parts = []
    for label in "qkv":
        y = linear(b, f"{label}_proj", x, width)
        y = b.apply("reshape", y, name=f"{label}_heads", shape=(batch, seq, kind.heads, d_head))
        y = y if label == "v" else rotated(b, y, cosine, sine, label)
        y = b.apply("permute", y, name=f"{label}_transposed", dims=(0, 2, 1, 3))
        parts.append(b.apply("contiguous", y, name=label))
    b.hold(*parts)
    y, _ = attended(kind, workload, b, parts[0], parts[1], parts[2], None)
    y = b.apply("permute", y, name="tokens_first", dims=(2, 0, 1, 3))
    y = b.apply("contiguous", y, name="tokens_together")
    y = linear(b, kind.out, b.apply("reshape", y, name="merged", shape=(seq, batch, width)), width)
    return b.apply("contiguous", b.apply("permute", y, name="batch_first", dims=(1, 0, 2)), name="read")


def rotated(b: Builder, x: Value, cosine: Value, sine: Value, label: str) -> Value:
    """Returns x (batch, tokens, heads, d_head) rotated step by step, in float32."""
    wide = x.spec.dtype != "float32"
    y = b.apply("cast", x, name=f"{label}_wide", dtype="float32") if wide else x
    first, second = b.apply("split", y, name=f"{label}_halves", parts=2, dim=-1)
    turned = b.apply("concat", b.apply("neg", second, name=f"{label}_negative"), first, name=f"{label}_half", dim=-1)
    y = b.apply("mul", y, cosine, name=f"{label}_cos")
    y = b.apply("add", y, b.apply("mul", turned, sine, name=f"{label}_sin"), name=f"{label}_rotated")
    return b.apply("cast", y, name=f"{label}_cast", dtype=b.dtype) if wide else y


ARCHITECTURE = Architecture(
    "mlcd_vision_model",
    MLCDConfig,
    build,
    PresetFiles(__file__),
    sizes={"image_size": lambda config: config.image_size},
    attention=("fused", "eager"),
    dtype="float32",
    aliases={"torch_dtype": "dtype"},
    no_cost={"rope_parameters": None, "rope_theta": None},
    model_types=("mlcd_vision_model", "mlcd"),
    losses=SUM_ALONE,
    doc="MLCD: CLIP's image tower with rotated queries and keys, of images of any size.",
)

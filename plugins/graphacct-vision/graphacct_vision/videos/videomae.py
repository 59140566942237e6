"""VideoMAE: ViT over cuboids of a video (Tong et al., 2022, arXiv:2203.12602)."""

from __future__ import annotations

from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders import Mlp
from graphacct_architectures.layers import layer_norm, linear
from graphacct_architectures.losses import LOSSES, check_entropy, entropy_if
from graphacct_architectures.tower import Tower, tower
from graphacct_architectures.vit_layers import older

from graphacct import Architecture, Builder, Dim, PresetFiles, Value, Workload, equal, fields, frozen
from graphacct_vision.videos.video import Video, cuboids, given

CLASSES = ("VideoMAEModel", "VideoMAEForVideoClassification")


@frozen(kw_only=True)
class VideoMAEConfig(Video):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    patch_size: Dim = fields.size(16)
    tubelet_size: Dim = fields.size(2)
    qv_bias: bool = fields.flag(True)
    use_mean_pooling: bool = fields.flag(True)


def build(config: VideoMAEConfig, workload: Workload, b: Builder) -> Value:
    """Returns the graph from a video to its tokens, or to logits."""
    check_entropy(config.labelled, workload, config.architectures)
    pixels = given(config, workload, b)
    if config.architectures == CLASSES[0]:
        return encoded(config, workload, b, pixels)
    with b.scope("videomae"):
        x = encoded(config, workload, b, pixels)
    if config.use_mean_pooling:
        x = layer_norm(b, "fc_norm", b.apply("mean", x, name="mean", dim=1))
    else:
        x = b.apply("select", x, name="first", dim=1)
    return x if equal(config.num_labels, 0) else linear(b, "classifier", x, config.num_labels)


def encoded(config: VideoMAEConfig, workload: Workload, b: Builder, pixels: Value) -> Value:
    """Returns the tokens after all layers, normalized unless their mean is. Positions are waves, no parameters."""
    with b.scope("embeddings"):
        with b.scope("patch_embeddings"):
            x = cuboids(b, pixels, config.hidden_size, (config.tubelet_size, config.patch_size, config.patch_size))
        places = b.apply("constant", name="positions", shape=(1, *x.spec.shape[1:]), dtype=b.dtype)
        x = b.apply("add", x, places, name="with_positions")
    b.hold(x)
    kind = Tower(
        config.num_hidden_layers,
        config.num_attention_heads,
        Mlp(config.intermediate_size, ACTIVATIONS[config.hidden_act], gated=False, bias=True),
        stack="layer",
        attention="attention",
        out="",
        norms=("layernorm_before", "layernorm_after"),
        bias=config.qv_bias,
        key_bias=False,
        attention_dropout=config.attention_probs_dropout_prob,
        dropout=config.hidden_dropout_prob,
        softmax_upcast=False,
    )
    with b.scope("encoder"):
        x = tower(older(kind, "attention"), workload, b, x)
    return x if config.use_mean_pooling else layer_norm(b, "layernorm", x)


ARCHITECTURE = Architecture(
    "videomae",
    VideoMAEConfig,
    build,
    PresetFiles(__file__),
    sizes={"image_size": lambda config: config.image_size, "frames": lambda config: config.num_frames},
    attention=("fused", "eager"),
    dtype="float32",
    aliases={"torch_dtype": "dtype", "qkv_bias": "qv_bias", **fields.LABELS},
    no_cost=dict.fromkeys(
        (
            *("decoder_num_attention_heads", "decoder_hidden_size", "decoder_num_hidden_layers", "norm_pix_loss"),
            "decoder_intermediate_size",
        )
    ),
    model_types=("videomae",),
    losses=LOSSES,
    default_loss=lambda config: entropy_if(config.labelled),
    doc="VideoMAE: ViT over cuboids of a video; --frames says how many it has.",
)

"""AST, the Audio Spectrogram Transformer: overlapping patches of a spectrum as tokens, two tokens in front.

Gong et al., 2021 (arXiv:2104.01778).
"""

from __future__ import annotations

from graphacct import (
    Architecture,
    Builder,
    ConfigError,
    Dim,
    PresetFiles,
    Value,
    Workload,
    differ,
    equal,
    fields,
    frozen,
)
from graphacct_architectures.activations import activation
from graphacct_architectures.layers import dropped, layer_norm, linear
from graphacct_architectures.losses import LOSSES, check_entropy, classes, entropy_if
from graphacct_architectures.tower import tower
from graphacct_architectures.vit_layers import vit_layers

MODEL, CLASSIFIER = "ASTModel", "ASTForAudioClassification"
FRAMES_PER_SECOND = 100
"""Of the spectrum that its preprocessor makes: a frame every 10 ms."""


@frozen(kw_only=True)
class ASTConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(MODEL, (MODEL, CLASSIFIER))
    hidden_size: Dim = fields.size(768)
    num_hidden_layers: Dim = fields.size(12)
    num_attention_heads: Dim = fields.size(12)
    intermediate_size: Dim = fields.size(3072)
    hidden_act: str = activation("gelu")
    hidden_dropout_prob: float = fields.probability(0.0)
    attention_probs_dropout_prob: float = fields.probability(0.0)
    patch_size: Dim = fields.size(16)
    qkv_bias: bool = fields.flag(True)
    frequency_stride: Dim = fields.size(10)
    time_stride: Dim = fields.size(10)
    max_length: Dim = fields.size(1024)
    num_mel_bins: Dim = fields.size(128)
    head_dim: Dim | None = fields.optional_size()
    num_labels: Dim = fields.label_count()
    dtype: str | None = fields.dtype()


def build(config: ASTConfig, workload: Workload, b: Builder) -> Value | tuple[Value, ...]:
    """Returns the graph from frames to logits, or to the last layer's output and the pooled one."""
    check_entropy(labelled(config), workload, config.architectures)
    if differ(workload.frames, config.max_length):
        raise ConfigError(
            f"frames {workload.frames} is not max_length {config.max_length}, for which the model has learned "
            f"positions; add --set max_length={workload.frames}"
        )
    frames = b.input("input_values", (workload.batch, config.max_length, config.num_mel_bins))
    if config.architectures == MODEL:
        return encoded(config, workload, b, frames)
    with b.scope("audio_spectrogram_transformer"):
        _, pooled = encoded(config, workload, b, frames)
    with b.scope("classifier"):
        x = layer_norm(b, "layernorm", pooled)
        return x if equal(config.num_labels, 0) else linear(b, "dense", x, config.num_labels)


def labelled(config: ASTConfig) -> bool:
    """Returns whether the model has logits of classes."""
    return config.architectures == CLASSIFIER and classes(config.num_labels)


def encoded(config: ASTConfig, workload: Workload, b: Builder, frames: Value) -> tuple[Value, Value]:
    """Returns the tokens of ASTModel, normalized, and the mean of the two in front."""
    with b.scope("embeddings"):
        x = embedded(config, workload, b, frames)
    b.hold(x)
    x = layer_norm(b, "layernorm", tower(vit_layers(config), workload, b, x))
    b.hold(x)
    first, second = (
        b.apply("select", x, name=f"{name}_token", dim=1, index=i) for i, name in enumerate(("cls", "distilled"))
    )
    return x, b.apply("scale", b.apply("add", first, second, name="both_tokens"), name="pooled")


def embedded(config: ASTConfig, workload: Workload, b: Builder, frames: Value) -> Value:
    """Returns the patches of a spectrum as tokens behind the two learned ones, with positions."""
    batch, width, side = workload.batch, config.hidden_size, config.patch_size
    with b.scope("patch_embeddings"):
        x = b.apply("reshape", frames, name="one_channel", shape=(batch, 1, config.max_length, config.num_mel_bins))
        x = b.apply("transpose", x, name="bins_first", dims=(2, 3))
        weight, bias = (
            b.parameter("projection.weight", (width, 1, side, side)),
            b.parameter("projection.bias", (width,)),
        )
        strides = (config.frequency_stride, config.time_stride)
        x = b.apply("convolution", x, weight, bias, name="projection", stride=strides)
        _, _, rows, columns = x.spec.shape
        x = b.apply("reshape", x, name="flat", shape=(batch, width, rows * columns))
        x = b.apply("transpose", x, name="tokens", dims=(1, 2))
    tokens = [
        b.apply("expand", b.parameter(name, (1, 1, width)), name=f"{name}s", shape=(batch, 1, width))
        for name in ("cls_token", "distillation_token")
    ]
    x = b.apply("concat", *tokens, x, name="with_tokens", dim=1)
    x = b.apply("add", x, b.parameter("position_embeddings", (1, rows * columns + 2, width)), name="with_positions")
    return dropped(b, "dropout", x, config.hidden_dropout_prob, workload)


ARCHITECTURE = Architecture(
    "audio-spectrogram-transformer",
    ASTConfig,
    build,
    PresetFiles(__file__),
    sizes={"frames": lambda config: config.max_length},
    per_second={"frames": lambda config: FRAMES_PER_SECOND},
    attention=("fused", "eager"),
    dtype="float32",
    aliases={"torch_dtype": "dtype", **fields.LABELS},
    model_types=("audio-spectrogram-transformer",),
    losses=LOSSES,
    default_loss=lambda config: entropy_if(labelled(config)),
    doc="AST: overlapping patches of a spectrum as tokens, learned positions; pooled or with a classifier.",
)

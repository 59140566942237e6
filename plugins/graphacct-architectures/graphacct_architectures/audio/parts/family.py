"""Shared by families of waveform encoders: wav2vec 2.0's keys, the classes of each family, and the Architecture."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from graphacct import Architecture, Builder, ConfigError, Dim, Value, Workload, equal, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.audio.parts.description import EACH, FIRST, Adapter, Convolved, Masks, Stem, Waves
from graphacct_architectures.audio.parts.encode import encoded
from graphacct_architectures.audio.parts.heads import Codes, Delayed, classes, letters, quantised, read, speakers
from graphacct_architectures.layers import dropped, linear
from graphacct_architectures.losses import LOSSES, check_entropy, entropy_if
from graphacct_architectures.losses import classes as are_classes

LETTERS, SEQUENCE, FRAMES, SPEAKERS, PRETRAINING = (
    "ForCTC",
    "ForSequenceClassification",
    "ForAudioFrameClassification",
    "ForXVector",
    "ForPreTraining",
)
HEADS = (LETTERS, SEQUENCE, FRAMES, SPEAKERS, PRETRAINING)
RATE = 16_000
"""Samples in a second, for which these models were trained."""
STRIDES, KERNELS = (5, 2, 2, 2, 2, 2, 2), (10, 3, 3, 3, 3, 2, 2)
SMALL: Mapping[str, tuple[Any, ...] | None] = {
    **dict.fromkeys(("mask_time_length", "mask_time_min_masks", "mask_feature_length", "mask_feature_min_masks")),
    **dict.fromkeys(("ctc_loss_reduction", "ctc_zero_infinity", "num_negatives", "diversity_loss_weight")),
    **dict.fromkeys(("contrastive_logits_temperature", "num_feat_extract_layers", "replace_prob")),
}
"""Keys of losses and of masks, which change no cost."""


def known(stem: str, heads: Sequence[str]) -> Any:
    """Returns the key `architectures` of a family whose classes begin with `stem`; the default is the bare encoder."""
    return fields.model_class(f"{stem}Model", (f"{stem}Model", *(f"{stem}{head}" for head in heads)))


@frozen(kw_only=True)
class SoundConfig:
    """The keys that encoders of sound have in all their classes, with the defaults of wav2vec 2.0's."""

    MODULE: ClassVar[str] = ""
    """The encoder's name in a class with a head."""

    architectures: str = ""
    vocab_size: Dim | None = fields.optional_size(32)
    hidden_size: Dim = fields.size(768)
    num_hidden_layers: Dim = fields.size(12)
    num_attention_heads: Dim = fields.size(12)
    intermediate_size: Dim = fields.size(3072)
    hidden_act: str = activation("gelu")
    hidden_dropout: float = fields.probability(0.1)
    activation_dropout: float = fields.probability(0.1)
    attention_dropout: float = fields.probability(0.1)
    feat_proj_dropout: float = fields.probability(0.0)
    final_dropout: float = fields.probability(0.1)
    layerdrop: float = fields.probability(0.1)
    apply_spec_augment: bool = fields.flag(True)
    mask_time_prob: float = fields.probability(0.05)
    mask_feature_prob: float = fields.probability(0.0)
    use_weighted_layer_sum: bool = fields.flag(False)
    classifier_proj_size: Dim = fields.size(256)
    num_labels: Dim = fields.label_count()
    dtype: str | None = fields.dtype()

    @property
    def head(self) -> str:
        """The head of the class; empty for the encoder alone."""
        return next((head for head in HEADS if self.architectures.endswith(head)), "")

    @property
    def labelled(self) -> bool:
        """Whether the class has logits of classes."""
        return self.head in (SEQUENCE, FRAMES) and are_classes(self.num_labels)

    @property
    def weighted(self) -> bool:
        """Whether the head reads all layers."""
        return self.use_weighted_layer_sum and self.head in (SEQUENCE, FRAMES, SPEAKERS)

    @property
    def masks(self) -> Masks:
        """What training masks."""
        return Masks(
            stored=self.mask_time_prob > 0 or self.mask_feature_prob > 0,
            time=self.apply_spec_augment and self.mask_time_prob > 0,
            channels=self.apply_spec_augment and self.mask_feature_prob > 0,
        )


@frozen(kw_only=True)
class WavesConfig(SoundConfig):
    """The keys that wav2vec 2.0 and related families have."""

    feat_extract_norm: str = fields.choice(FIRST, (FIRST, EACH))
    feat_extract_activation: str = activation("gelu")
    conv_dim: tuple[Dim, ...] = fields.counts((512,) * 7)
    conv_stride: tuple[Dim, ...] = fields.counts(STRIDES)
    conv_kernel: tuple[Dim, ...] = fields.counts(KERNELS)
    conv_bias: bool = fields.flag(False)
    num_conv_pos_embeddings: Dim = fields.size(128)
    num_conv_pos_embedding_groups: Dim = fields.size(16)
    do_stable_layer_norm: bool = fields.flag(False)

    def __attrs_post_init__(self) -> None:
        for key in ("conv_stride", "conv_kernel"):
            if len(getattr(self, key)) != len(self.conv_dim):
                raise ConfigError(
                    f"{key} has {len(getattr(self, key))} values and conv_dim {len(self.conv_dim)}: one for each "
                    "convolution"
                )


@frozen(kw_only=True)
class QuantisedConfig(WavesConfig):
    """The keys of families that are pre-trained to tell quantised features apart."""

    feat_quantizer_dropout: float = fields.probability(0.0)
    num_codevectors_per_group: Dim = fields.size(320)
    num_codevector_groups: Dim = fields.size(2)
    codevector_dim: Dim = fields.size(256)
    proj_codevector_dim: Dim = fields.size(256)

    @property
    def codes(self) -> Codes:
        """The quantiser."""
        return Codes(self.num_codevector_groups, self.num_codevectors_per_group, self.codevector_dim)


@frozen(kw_only=True)
class SpeakersConfig(QuantisedConfig):
    """The keys of families with a class that knows speakers."""

    tdnn_dim: tuple[Dim, ...] = fields.counts((512, 512, 512, 512, 1500))
    tdnn_kernel: tuple[Dim, ...] = fields.counts((5, 3, 3, 1, 1))
    tdnn_dilation: tuple[Dim, ...] = fields.counts((1, 2, 3, 1, 1))
    xvector_output_dim: Dim = fields.size(512)


@frozen(kw_only=True)
class AdaptedConfig(SpeakersConfig):
    """The keys of families whose encoder may end in an adapter."""

    add_adapter: bool = fields.flag(False)
    adapter_kernel_size: Dim = fields.size(3)
    adapter_stride: Dim = fields.size(2)
    num_adapter_layers: Dim = fields.size(3)
    output_hidden_size: Dim | None = fields.optional_size()

    @property
    def adapter(self) -> Adapter | None:
        """The adapter after the last layer. Raises ConfigError for a head that its class has not with it."""
        if not self.add_adapter:
            return None
        width = self.hidden_size if self.output_hidden_size is None else self.output_hidden_size
        if self.head in (SEQUENCE, FRAMES):
            raise ConfigError(f"add_adapter is true, which {self.architectures} does not support")
        if self.head in (SPEAKERS, PRETRAINING) and not equal(width, self.hidden_size):
            raise ConfigError(
                f"output_hidden_size is {width}, but {self.architectures} reads hidden_size {self.hidden_size}"
            )
        return Adapter(width, self.num_adapter_layers, self.adapter_kernel_size, self.adapter_stride)


def like_wav2vec2(config: Any, **differences: Any) -> Waves:
    """Returns an encoder of wav2vec 2.0's; `differences` are from it."""
    act = ACTIVATIONS[config.feat_extract_activation]
    common: dict[str, Any] = {
        "positions": Convolved(config.num_conv_pos_embeddings, config.num_conv_pos_embedding_groups, act),
        "norm_first": config.do_stable_layer_norm,
        "masks": config.masks,
        "dropout": config.hidden_dropout,
        "attention_dropout": config.attention_dropout,
        "inner_dropout": config.activation_dropout,
        "features_dropout": config.feat_proj_dropout,
    }
    stem = Stem(
        config.conv_dim, config.conv_kernel, config.conv_stride, config.conv_bias, config.feat_extract_norm, act
    )
    return Waves(
        stem,
        config.hidden_size,
        config.num_hidden_layers,
        config.num_attention_heads,
        config.intermediate_size,
        ACTIVATIONS[config.hidden_act],
        **{**common, **differences},
    )


Pretrained = Callable[[Any, Workload, Builder, Any], tuple[Value, ...]]


def pretrained(config: Any, workload: Workload, b: Builder, streams: Any) -> tuple[Value, ...]:
    """Returns wav2vec 2.0's outputs in pre-training: the projected stream, and the projected vectors that stand for
    features. Their perplexity is no part of a loss without negatives."""
    stream = linear(b, "project_hid", streams.last, config.proj_codevector_dim)
    features = dropped(b, "dropout_features", streams.features, config.feat_quantizer_dropout, workload)
    vectors, _ = quantised(config.codes, features, workload, b)
    return stream, linear(b, "project_q", vectors, config.proj_codevector_dim)


def waves(
    name: str,
    config: type[Any],
    describe: Callable[[Any], Waves],
    presets: Mapping[str, Any],
    *,
    doc: str,
    pretraining: Pretrained = pretrained,
    no_cost: Mapping[str, tuple[Any, ...] | None] | None = None,
    attention: tuple[str, ...] = ("fused", "eager"),
) -> Architecture:
    """Returns the Architecture of a family: `describe` returns a configuration's encoder, `pretraining` the outputs of
    its class for pre-training."""

    def build(config: Any, workload: Workload, b: Builder) -> Value | tuple[Value, ...]:
        check_entropy(config.labelled, workload, config.architectures)
        weighted = config.weighted
        with b.scope(config.MODULE if config.head else ""):
            streams = encoded(describe(config), workload, b, weighted)
        b.hold(streams.last, streams.features, *streams.states)
        if config.head == PRETRAINING:
            return pretraining(config, workload, b, streams)
        return headed(config, read(streams, weighted, b), workload, b)

    return Architecture(
        name,
        config,
        build,
        presets,
        sizes={"samples": lambda config: RATE},
        per_second={"samples": lambda config: RATE},
        attention=attention,
        dtype="float32",
        aliases={"torch_dtype": "dtype", **fields.LABELS},
        no_cost={**SMALL, **(no_cost or {})},
        model_types=(name,),
        losses=LOSSES,
        default_loss=lambda config: entropy_if(config.labelled),
        inexact=inexact,
        doc=doc,
    )


def headed(config: Any, x: Value, workload: Workload, b: Builder) -> Value:
    """Returns the output of the class's head, or the stream itself."""
    if config.head == LETTERS:
        if config.vocab_size is None:
            raise ConfigError(f"vocab_size is null, but {config.architectures} has logits of so many letters")
        return letters(x, config.vocab_size, config.final_dropout, workload, b)
    if config.head == SEQUENCE:
        return classes(x, config.classifier_proj_size, config.num_labels, b)
    if config.head == FRAMES:
        return linear(b, "classifier", x, config.num_labels)
    if config.head == SPEAKERS:
        network = Delayed(config.tdnn_dim, config.tdnn_kernel, config.tdnn_dilation, config.xvector_output_dim)
        return speakers(network, x, config.num_labels, b)
    return x


def inexact(config: Any, workload: Workload, dtype: str) -> Sequence[str]:
    """Returns that layers which chance drops in a training step are counted."""
    if not config.layerdrop:
        return ()
    return (f"layerdrop {config.layerdrop}: the layers that chance drops are counted as if they ran",)

"""CANINE: BERT's layers over characters, most of them over groups of four; no vocabulary, but hashes of code points.

Clark et al., 2021 (arXiv:2103.06874). One layer over windows of characters, a convolution to groups, the deep layers, a
convolution over characters and the groups' outputs beside each other, and one more layer over all characters.
"""

from __future__ import annotations

from functools import partial

import attrs

from graphacct import Builder, ConfigError, Dim, PresetFiles, Value, Workload, exact_div, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.classifier import classified, scored, token
from graphacct_architectures.encoders.bert import like_bert
from graphacct_architectures.encoders.parts.description import Encoder
from graphacct_architectures.encoders.parts.encode import through
from graphacct_architectures.encoders.parts.family import EncoderConfig, built, of_tasks
from graphacct_architectures.encoders.parts.heads import POOLED, pooler
from graphacct_architectures.encoders.parts.layer import core, head_width
from graphacct_architectures.layers import activation, dropped, embedding, layer_norm, linear, split_heads

MODEL, SEQUENCE, TOKENS, SPANS, CHOICE = (
    f"Canine{word}"
    for word in (
        "Model",
        "ForSequenceClassification",
        "ForTokenClassification",
        "ForQuestionAnswering",
        "ForMultipleChoice",
    )
)


@frozen(kw_only=True)
class CanineConfig(EncoderConfig):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(MODEL, (MODEL, SEQUENCE, TOKENS, SPANS, CHOICE))
    max_position_embeddings: Dim = fields.size(16384)
    type_vocab_size: Dim = fields.size(16)
    downsampling_rate: Dim = fields.size(4)
    upsampling_kernel_size: Dim = fields.size(4)
    num_hash_functions: Dim = fields.size(8)
    num_hash_buckets: Dim = fields.size(16384)
    local_transformer_stride: Dim = fields.size(128)

    @property
    def last_dropout(self) -> float:
        """The dropout of a classifier's input."""
        return self.hidden_dropout_prob


def describe(config: CanineConfig) -> Encoder:
    """Returns the deep layers with their pooler, and the classifier of the class."""
    name = config.architectures
    return like_bert(
        config,
        "" if name == MODEL else "canine",
        causal=False,
        written_out=True,
        pooled=True,
        classifier=of_tasks(config, "Canine").get(name),
    )


def stream(config: CanineConfig, e: Encoder, workload: Workload, b: Builder) -> tuple[Value, Value]:
    """Returns the output of each character (batch, seq, width) and the pooled one. Raises ConfigError for a length that
    is a symbol: windows are written out."""
    batch, seq, rate = workload.batch, workload.seq_len, config.downsampling_rate
    assert seq is not None
    for key, value in (
        ("seq_len", seq),
        ("local_transformer_stride", config.local_transformer_stride),
        ("downsampling_rate", rate),
    ):
        if type(value) is not int:
            raise ConfigError(f"{key} {value} is a symbol: windows of characters are written out, so give a number")
    for key in ("max_position_embeddings", "num_hash_buckets"):  # the table of positions has as many rows as a hash's
        if seq > getattr(config, key):
            raise ConfigError(f"seq_len {seq} is beyond {key}, {getattr(config, key)}")
    if seq < 2 * rate:
        raise ConfigError(f"seq_len is {seq}: CANINE reads at least two groups of {rate} characters")
    with b.scope("char_embeddings"):
        x = characters(config, workload, b)
    mask = b.apply("full", name="char_attention_mask", shape=(batch, seq, seq), dtype="float32")
    b.hold(x, mask)
    one = attrs.evolve(e, count=1, names=attrs.evolve(e.names, stack="initial_char_encoder.layer"))
    chars = through(one, workload, b, x, mask, attend=partial(windows, config))
    with b.scope("chars_to_molecules"):
        groups = molecules(config, b, chars)
    inside = attrs.evolve(workload, seq_len=seq // rate)
    b.hold(chars, groups)
    groups = through(e, inside, b, groups)
    pooled = pooler(e, b, groups)
    x = b.apply("concat", chars, repeated(b, groups, rate, seq), name="characters_and_groups", dim=-1)
    b.hold(x, groups, pooled)
    with b.scope("projection"):
        x = projected(config, workload, b, x)
    last = attrs.evolve(e, count=1, names=attrs.evolve(e.names, stack="final_char_encoder.layer"))
    return through(last, workload, b, x), pooled


def characters(config: CanineConfig, workload: Workload, b: Builder) -> Value:
    """Returns characters with their types and positions, normalized: slices of several tables, read by a hash each."""
    batch, seq, width = workload.batch, workload.seq_len, config.hidden_size
    ids = b.input("input_ids", (batch, seq), "int64")
    part = exact_div(width, config.num_hash_functions, "hidden_size / num_hash_functions")
    count = config.num_hash_functions
    if type(count) is not int:
        raise ConfigError(f"num_hash_functions {count} is a symbol: its tables are written out, so give a number")
    rows = []
    for index in range(count):
        hashed = b.apply("shift", ids, name=f"shifted_{index}")
        hashed = b.apply("scale", hashed, name=f"hashed_{index}")
        hashed = b.apply(
            "remainder",
            hashed,
            b.apply("full", name=f"buckets_{index}", shape=(1, 1), dtype="int64"),
            name=f"bucket_{index}",
        )
        rows.append(embedding(b, f"HashBucketCodepointEmbedder_{index}", hashed, config.num_hash_buckets, part))
    x = b.apply("concat", *rows, name="characters", dim=-1)
    types = b.apply("full", name="token_type_ids", shape=(batch, seq), dtype="int64")
    x = b.apply(
        "add", x, embedding(b, "token_type_embeddings", types, config.type_vocab_size, width), name="with_types"
    )
    table = b.apply("constant", name="position_table", shape=(1, config.max_position_embeddings), dtype="int64")
    places = b.apply("slice", table, name="position_ids", dim=1, start=0, length=seq)
    where = embedding(b, "char_position_embeddings", places, config.num_hash_buckets, width)
    x = layer_norm(b, "LayerNorm", b.apply("add", x, where, name="with_positions"))
    return dropped(b, "dropout", x, config.hidden_dropout_prob, workload)


def windows(
    config: CanineConfig, e: Encoder, workload: Workload, b: Builder, x: Value, mask: Value
) -> tuple[Value, tuple[Value, ...]]:
    """Returns attention's output, heads side by side: each window of characters attends to itself. A projection's
    weights are one parameter, which each window reads."""
    batch, seq, _ = x.spec.shape
    stride, width = config.local_transformer_stride, head_width(e)
    parts = []
    for turn, start in enumerate(range(0, seq, stride)):
        size = min(stride, seq - start)
        with b.turn(turn):
            own = b.apply("slice", x, name=f"{e.names.attention}.window", dim=1, start=start, length=size)
            q, k, v = (linear(b, name, own, e.width) for name in (e.names.query, e.names.key, e.names.value))
            with b.scope(e.names.attention):
                q, k, v = (
                    split_heads(b, part, e.heads, width, label) for part, label in zip((q, k, v), "qkv", strict=True)
                )
                seen = b.apply("slice", mask, name="mask_rows", dim=1, start=start, length=size)
                seen = b.apply("slice", seen, name="mask_window", dim=2, start=start, length=size)
                seen = b.apply("reshape", seen, name="mask_of_heads", shape=(batch, 1, size, size))
                seen = b.apply("scale", b.apply("rsub", seen, name="mask_hidden"), name="mask_lowest")
                y, _ = core(e, workload, b, q, k, v, seen)
        parts.append(y)
    y = parts[0] if len(parts) == 1 else b.apply("concat", *parts, name=f"{e.names.attention}.windows", dim=1)
    return y, ()


def molecules(config: CanineConfig, b: Builder, x: Value) -> Value:
    """Returns groups of characters (batch, seq / rate, width): the first character, and all groups but the last."""
    _, seq, width = x.spec.shape
    rate = config.downsampling_rate
    first = b.apply("slice", x, name="first", dim=1, start=0, length=1)
    y = b.apply("transpose", x, name="by_channel", dims=(1, 2))
    y = convolved(b, y, width, rate, rate)
    y = activation(b, ACTIVATIONS[config.hidden_act], b.apply("transpose", y, name="by_group", dims=(1, 2)), "act")
    y = b.apply("slice", y, name="without_last", dim=1, start=0, length=seq // rate - 1)
    return layer_norm(b, "LayerNorm", b.apply("concat", first, y, name="groups", dim=1))


def projected(config: CanineConfig, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns each character of its neighbours and their groups, (batch, seq, width)."""
    kernel = config.upsampling_kernel_size
    before = (kernel - 1) // 2
    y = b.apply("transpose", x, name="by_channel", dims=(1, 2))
    y = b.apply("pad", y, name="padded", padding=((before, kernel - 1 - before),))
    y = convolved(b, y, config.hidden_size, kernel, 1)
    y = activation(b, ACTIVATIONS[config.hidden_act], b.apply("transpose", y, name="by_token", dims=(1, 2)), "act")
    return dropped(b, "dropout", layer_norm(b, "LayerNorm", y), config.hidden_dropout_prob, workload)


def convolved(b: Builder, x: Value, width: Dim, kernel: Dim, stride: Dim) -> Value:
    """Returns a convolution of x (batch, channels, seq) along the text."""
    weight = b.parameter("conv.weight", (width, x.spec.shape[1], kernel))
    return b.apply("convolution", x, weight, b.parameter("conv.bias", (width,)), name="conv", stride=(stride,))


def repeated(b: Builder, x: Value, rate: Dim, seq: Dim) -> Value:
    """Returns groups (batch, groups, width) as often as there are characters; the last stands for the first, too."""
    count = x.spec.shape[1]
    rest = b.apply("slice", x, name="groups_but_first", dim=1, start=1, length=count - 1)
    last = b.apply("slice", x, name="last_group", dim=1, start=count - 1, length=1)
    y = interleaved(b, rest, rate, "repeated")
    z = interleaved(b, last, seq - (count - 1) * rate, "last_repeated")
    return b.apply("concat", y, z, name="of_characters", dim=1)


def interleaved(b: Builder, x: Value, times: Dim, name: str) -> Value:
    """Returns x (batch, seq, width) with each row `times` times in a row."""
    batch, seq, width = x.spec.shape
    y = b.apply("reshape", x, name=f"{name}_rows", shape=(batch, seq, 1, width))
    y = b.apply("expand", y, name=f"{name}_each", shape=(batch, seq, times, width))
    return b.apply("reshape", y, name=name, shape=(batch, seq * times, width))


def build(config: CanineConfig, workload: Workload, b: Builder) -> Value | tuple[Value, ...]:
    """Returns the graph from code points to the last layer's output and the pooled one, or to the class's logits."""
    e = describe(config)
    with b.scope(e.module):
        x, pooled = stream(config, e, workload, b)
    if e.classifier is None:
        return x, pooled
    read = pooled if e.classifier.reads == POOLED else token(b, x, e.classifier.reads)
    return classified(e.classifier, workload, b, read)


ARCHITECTURE = built(
    "canine",
    CanineConfig,
    build,
    PresetFiles(__file__),
    lambda config: scored(describe(config).classifier),
    lambda config: config.max_position_embeddings,
    doc="CANINE: BERT's layers over characters and groups of them, alone or with the head of a class.",
    no_cost={"vocab_size": None},
)

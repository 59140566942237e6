"""CLAP's encoder of texts: RoBERTa's layers with a pooler, alone or projected."""

from __future__ import annotations

from typing import Any

from graphacct import Architecture, Builder, Dim, PresetFiles, Value, Workload, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.encoders.bert import like_bert
from graphacct_architectures.encoders.parts.encode import encode
from graphacct_architectures.encoders.parts.family import EncoderConfig
from graphacct_architectures.layers import activation as activated
from graphacct_architectures.layers import linear, resident
from graphacct_architectures.losses import SUM_ALONE

MODEL, PROJECTED = "ClapTextModel", "ClapTextModelWithProjection"


@frozen(kw_only=True)
class ClapTextConfig(EncoderConfig):
    """The keys of the published config.json that the cost depends on; positions begin after `pad_token_id`."""

    architectures: str = fields.model_class(MODEL, (MODEL, PROJECTED))
    vocab_size: Dim = fields.size(50265)
    max_position_embeddings: Dim = fields.size(514)
    type_vocab_size: Dim = fields.size(1)
    pad_token_id: Dim = fields.size(1, minimum=0)
    projection_dim: Dim = fields.size(512)
    projection_hidden_act: str = activation("relu")

    @property
    def usable(self) -> Dim:
        """How many positions a text can have."""
        return self.max_position_embeddings - self.pad_token_id - 1


def pooled(config: ClapTextConfig, workload: Workload, b: Builder) -> tuple[Value, Value]:
    """Returns the tokens of each text after all layers, and the pooler's output. The ids of positions and of types are
    buffers that checkpoints have."""
    found = encode(like_bert(config, "", pooled=True, counted=True, usable=config.usable), workload, b)
    assert isinstance(found, tuple)
    with b.scope("embeddings"):
        for name in ("position_ids", "token_type_ids"):
            table = b.parameter(name, (1, config.max_position_embeddings), "int64", buffer=True)
            resident(b, f"{name}_stored", table)
    return found[0], found[1]


def projected(b: Builder, x: Value, width: Dim, act: str) -> Value:
    """Returns x after two linear layers; the builder is in their scope."""
    x = activated(b, ACTIVATIONS[act], linear(b, "linear1", x, width), "activation")
    return linear(b, "linear2", x, width)


def build(config: ClapTextConfig, workload: Workload, b: Builder) -> Value | tuple[Value, ...]:
    """Returns the graph from ids to the tokens and the pooler's output, or to the projected output."""
    if config.architectures == MODEL:
        return pooled(config, workload, b)
    with b.scope("text_model"):
        _, x = pooled(config, workload, b)
    with b.scope("text_projection"):
        return projected(b, x, config.projection_dim, config.projection_hidden_act)


NO_COST: dict[str, Any] = dict.fromkeys(("initializer_factor", "position_embedding_type", "fusion_hidden_size"))
ARCHITECTURE = Architecture(
    "clap_text_model",
    ClapTextConfig,
    build,
    PresetFiles(__file__),
    sizes={"seq_len": lambda config: config.usable},
    attention=("fused", "eager"),
    dtype="float32",
    aliases={"torch_dtype": "dtype", **fields.LABELS},
    no_cost=NO_COST,
    model_types=("clap_text_model",),
    losses=SUM_ALONE,
    doc="CLAP's encoder of texts: RoBERTa's layers with a pooler, alone or projected.",
)

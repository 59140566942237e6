"""HRM-Text: two stacks of gated layers that run over and over, a slow one after several runs of a fast one.

Wang et al., "Hierarchical Reasoning Model", 2025 (arXiv:2506.21734); names and order as in the transformers library's
HrmTextForCausalLM (5.23). In training all but the last runs of the fast stack in each cycle are without gradients.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from graphacct import Builder, ConfigError, Dim, PresetFiles, Value, Workload, brief, exact_div, fields, frozen
from graphacct_architectures.decoders.llama import LlamaConfig
from graphacct_architectures.decoders.parts.decode import layer as layer_of
from graphacct_architectures.decoders.parts.description.decoder import Decoder, Middle
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.description.norm import Norm
from graphacct_architectures.decoders.parts.family import decoder, number, whole
from graphacct_architectures.decoders.parts.norms import normed_by
from graphacct_architectures.decoders.parts.usual import around, network, rotated_attention
from graphacct_architectures.heads import ALONE, CAUSAL

NORM = Norm(weight=False, upcast="all")


def trained_runs() -> Any:
    """Returns how many of the last runs of the fast stack have gradients, for the last cycles; or None."""

    def check(value: Any, field: attrs.Attribute[Any]) -> tuple[int, ...] | None:
        if value is None:
            return None
        if not isinstance(value, (list, tuple)) or any(type(item) is not int for item in value):
            raise ConfigError(f"{field.name} is a list of numbers of runs, not {brief(value)}")
        return tuple(value)

    return fields.checked_field(check, (2,))


@frozen(kw_only=True)
class HrmTextConfig(LlamaConfig):
    """The keys of the published config.json that the cost depends on. A file that states `num_layers_per_stack` has as
    `num_hidden_layers` the layers of all runs together."""

    vocab_size: Dim = fields.size(151808)
    hidden_size: Dim = fields.size(1536)
    intermediate_size: Dim = fields.size(4096)
    num_hidden_layers: Dim = fields.size(16)
    num_attention_heads: Dim = fields.size(12)
    head_dim: Dim | None = fields.optional_size(128)
    H_cycles: int = fields.size(2)
    L_cycles: int = fields.size(3)
    L_bp_cycles: tuple[int, ...] | None = trained_runs()
    num_layers_per_stack: Dim | None = fields.optional_size()
    embedding_scale: float | None = number(None)

    @property
    def depth(self) -> Dim:
        """Layers of a stack."""
        if self.num_layers_per_stack is None:
            return self.num_hidden_layers
        runs = self.H_cycles * (self.L_cycles + 1)
        found = exact_div(self.num_hidden_layers, runs, "num_hidden_layers / runs of a stack")
        if found != self.num_layers_per_stack:
            raise ConfigError(
                f"num_layers_per_stack is {self.num_layers_per_stack}, num_hidden_layers {self.num_hidden_layers}: "
                f"{runs} runs of the stacks have {self.num_layers_per_stack * runs} layers together"
            )
        return self.num_layers_per_stack

    @property
    def trained(self) -> tuple[int, ...]:
        """How many of the last runs of the fast stack have gradients in each cycle: one, or as listed for the last."""
        listed = (2,) if self.L_bp_cycles is None else self.L_bp_cycles
        return ((1,) * max(0, self.H_cycles - len(listed)) + listed)[: self.H_cycles]


@frozen
class Cycles:
    """How the stacks run.

    Attributes:
        layer: The layers' kind.
        depth: The number of layers of a stack.
        runs: The runs of the fast stack before each of the slow one.
        trained: How many of the last ones have gradients, cycle by cycle.
    """

    layer: Layer
    depth: int
    runs: int
    trained: tuple[int, ...]


def cycles(
    s: Cycles, d: Decoder, workload: Workload, b: Builder, ids: Value, x: Value, tables: Mapping[str, Value]
) -> Value:
    """Returns the slow stack's last output. Each run of a stack has its own keys and values, and shares its weights."""
    body = layer_of(workload, tuple(tables), s.layer)

    def run(module: str, turn: int, x: Value) -> Value:
        for index in range(s.depth):
            with b.scope(f"{module}.layers.{index}"), b.turn(turn):
                x = body(b, x, *tables.values())
        with b.scope(module), b.turn(turn):
            return normed_by(b, "final_norm", x, NORM)

    start = b.apply("expand", b.parameter("z_L_init", x.spec.shape[-1:], frozen=True), name="start", shape=x.spec.shape)
    high, low = x, b.apply("contiguous", start, name="low_start")
    for cycle, trained in enumerate(s.trained):
        for step in range(s.runs):
            turn = cycle * s.runs + step
            low = run("L_module", turn, b.apply("add", low, high, name=f"low_in_{turn}"))
            if step < s.runs - trained:
                low = b.apply("detach", low, name=f"low_detached_{turn}")
        high = run("H_module", cycle, b.apply("add", high, low, name=f"high_in_{cycle}"))
    return high


def describe(config: HrmTextConfig) -> Decoder:
    """Returns the decoder whose layers run in cycles."""
    attention = rotated_attention(config, gate="gate_proj", gate_bias=config.attention_bias)
    attention = attrs.evolve(attention, kv_heads=config.num_attention_heads)
    layer = Layer(attention, network(config), NORM)
    depth = whole(config.depth, "num_hidden_layers")
    middle = Middle(Cycles(layer, depth, config.L_cycles, config.trained), cycles)
    return around(config, layer, norm="", norm_kind=NORM, embedding_scaled=True, middle=middle)


def inexact(config: HrmTextConfig, workload: Workload, dtype: str) -> tuple[str, ...]:
    """Returns what is not equal to the library's saved tensors."""
    if all(trained >= config.L_cycles for trained in config.trained):
        return ()
    return ("saved tensors have those of the fast stack's runs without gradients, of which the library saves none",)


ARCHITECTURE = decoder(
    "hrm_text",
    HrmTextConfig,
    describe,
    PresetFiles(__file__),
    inexact=inexact,
    classes=(CAUSAL, ALONE),
    no_cost={"prefix_lm": None, "num_key_value_heads": None},
    doc="HRM-Text: two stacks that run in cycles.",
)

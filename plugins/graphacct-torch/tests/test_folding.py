"""Layers of captured modules that repeat are blocks, and written out the graph is that of the calls as they ran."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from graphacct_torch.building.fakes import faked
from graphacct_torch.capturing.capture import capture
from graphacct_torch.tracing.graph import graph_of
from torch import nn

import graphacct
from graphacct import Block, Graph
from graphacct.hooks.manager import default

X = torch.zeros(2, 5, 16)


def blocks(graph: Graph) -> Iterator[Block]:
    for node in graph.nodes:
        if isinstance(node, Block):
            yield node
            yield from blocks(node.body)


def folded(module: nn.Module, *args: Any, **kwargs: Any) -> list[tuple[str, Any, int, int]]:
    """The blocks of a captured module: their names, repeats, first indices and nodes. Written out, the graph is the one
    of the calls, and every total is the same."""
    given = args or (X,)
    graph = graphacct.build((module, given, kwargs))
    with faked(module, given, kwargs) as fake:
        plain = graph_of(type(module).__name__, capture(fake, backward=False), default().operators)
    flat = graph.unroll()
    assert (flat.inputs, flat.nodes, flat.outputs) == (plain.inputs, plain.nodes, plain.outputs)
    assert graphacct.account(graph).total == graphacct.account(flat).total
    return [(block.name, block.repeat, block.start, len(block.body.nodes)) for block in blocks(graph)]


class Layer(nn.Module):
    """A layer with two parts and what its own forward calls."""

    def __init__(self, act: nn.Module | None = None) -> None:
        super().__init__()
        self.up, self.down, self.act = nn.Linear(16, 32), nn.Linear(32, 16), act or nn.GELU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.down(self.act(self.up(x))) * torch.tensor(0.5)  # a constant that each layer makes anew


class Stack(nn.Module):
    """Layers one after the other."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            x = layer(x)
        return x


def test_layers_in_a_row() -> None:
    """Six layers are one block, with the constants that each makes."""
    assert [found[:3] for found in folded(Stack(*[Layer() for _ in range(6)]))] == [("layers.*", 6, 0)]
    assert [found[:3] for found in folded(nn.Sequential(*[Layer() for _ in range(3)]))] == [("*", 3, 0)]


def test_layers_with_a_period_and_layers_inside() -> None:
    """Two kinds of layers by turns; stacks of them in a stack."""
    kinds = [Layer(nn.ReLU() if index % 3 == 2 else nn.GELU()) for index in range(7)]
    assert [found[:3] for found in folded(Stack(*kinds))] == [("layers.3*", 2, 0)]
    nested = Stack(*[Stack(Layer(), Layer()) for _ in range(3)])
    assert [found[:3] for found in folded(nested)] == [("layers.*", 3, 0), ("layers.*.layers.*", 2, 0)]


def test_a_module_that_runs_several_times() -> None:
    """One layer that runs four times is a block of its runs, which share its parameters; a part of a layer that runs
    twice has a name for each run."""

    class Again(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = Layer()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            for _ in range(4):
                x = self.layer(x)
            return x

    assert [found[1:3] for found in folded(Again())] == [(4, 0)]
    graph = graphacct.build((Again(), (X,)))
    assert {node.name for node in graph.walk()} >= {"layer.up.*", "layer.add.*"}
    assert graphacct.account(graph).total["params"] == sum(p.numel() for p in Again().parameters())

    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.act = nn.ReLU()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.act(self.act(x).exp())

    names = [node.name for node in graphacct.build((Twice(), (X,))).walk()]
    assert names == ["act.0", "exp", "act.1"]


def test_a_table_that_is_made_on_first_use() -> None:
    """The first layer makes it and is written out; the others read it."""

    class Cached(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(16, 16)

        def forward(self, x: torch.Tensor, tables: list[torch.Tensor]) -> torch.Tensor:
            x = self.fc(x)
            if not tables:
                tables.append(torch.ones(5, 16).cos())
            return x * tables[0]

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleList([Cached() for _ in range(5)])

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            tables: list[torch.Tensor] = []
            for layer in self.layers:
                x = layer(x, tables)
            return x

    assert [found[:3] for found in folded(Model())] == [("layers.*", 4, 1)]


class States(Stack):
    """Returns what each layer made."""

    def forward(self, x: torch.Tensor) -> Any:
        states = []
        for layer in self.layers:
            x = layer(x)
            states.append(x)
        return states


class Picked(Stack):
    """Puts some of it together."""

    def forward(self, x: torch.Tensor) -> Any:
        states = []
        for layer in self.layers:
            x = layer(x)
            states.append(x)
        return torch.cat(states[1::2], -1)


@pytest.mark.parametrize("model", [States, Picked])
def test_results_of_every_layer_that_leave_the_module(model: type[nn.Module]) -> None:
    """Results of the layers that are outputs, or that something takes later, leave their block one by one."""
    assert [found[:3] for found in folded(model(*[Layer() for _ in range(6)]))] == [("layers.*", 6, 0)]


def test_what_each_layer_takes_for_itself() -> None:
    """Each layer has its own cache; those of the second half of a U-Net take what the first made, the last one
    first."""

    class Joined(Layer):
        def forward(self, x: torch.Tensor, other: torch.Tensor) -> Any:
            return super().forward(torch.cat([other, x], 1)[:, -5:])

    class Cached(Stack):
        def forward(self, x: torch.Tensor, caches: list[torch.Tensor]) -> Any:
            for layer, cache in zip(self.layers, caches, strict=True):
                x = layer(x, cache)
            return x

    class Skips(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.down = nn.ModuleList(Layer() for _ in range(4))
            self.up = nn.ModuleList(Joined() for _ in range(4))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            kept = []
            for layer in self.down:
                kept.append(x := layer(x))
            for layer in self.up:
                x = layer(x, kept.pop())
            return x

    caches = [torch.zeros(2, 3, 16) for _ in range(4)]
    assert [found[:3] for found in folded(Cached(*[Joined() for _ in range(4)]), X, caches)] == [("layers.*", 4, 0)]
    assert [found[:3] for found in folded(Skips())] == [("down.*", 4, 0), ("up.*", 4, 0)]


SMALL = {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 4, "vocab_size": 50}
SHARED = {"num_key_value_heads": 2, "head_dim": 8}


def model(transformers: Any, name: str) -> tuple[nn.Module, dict[str, Any]]:
    """A small model of the library, and its inputs."""
    ids = torch.zeros(1, 8, dtype=torch.long)
    if name == "gpt2":
        config = transformers.GPT2Config(n_embd=32, n_layer=8, n_head=4, vocab_size=50, bos_token_id=1, eos_token_id=2)
        return transformers.GPT2LMHeadModel(config), {"input_ids": ids}
    if name == "llama":
        config = transformers.LlamaConfig(**SMALL, num_hidden_layers=8, num_key_value_heads=2)
        return transformers.LlamaForCausalLM(config), {"input_ids": ids}
    if name == "gemma3":
        config = transformers.Gemma3TextConfig(**SMALL, **SHARED, num_hidden_layers=13, sliding_window=4)
        return transformers.Gemma3ForCausalLM(config), {"input_ids": ids}
    if name == "mixtral":
        config = transformers.MixtralConfig(**SMALL, num_hidden_layers=4, num_key_value_heads=2, num_local_experts=4)
        return transformers.MixtralForCausalLM(config), {"input_ids": ids}
    if name == "albert":
        return transformers.AlbertModel(transformers.AlbertConfig(**SMALL, embedding_size=16)), {"input_ids": ids}
    config = transformers.T5Config(d_model=32, d_ff=64, num_layers=5, num_heads=4, d_kv=8, vocab_size=50)
    return transformers.T5Model(config), {"input_ids": ids, "decoder_input_ids": ids.clone()}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("gpt2", [("transformer.h.*", 8, 0)]),
        ("llama", [("model.layers.*", 8, 0)]),
        ("gemma3", [("model.layers.6*", 2, 0)]),
        ("mixtral", [("model.layers.*", 4, 0)]),
        ("albert", [("encoder.albert_layer_groups.0.albert_layers.0.attention.query.*", 12, 0)]),
        ("t5", [("encoder.block.*", 4, 1), ("decoder.block.*", 4, 1)]),  # the first makes the biases of all
    ],
)
def test_models_of_the_transformers_library(name: str, expected: list[tuple[str, int, int]]) -> None:
    transformers = pytest.importorskip("transformers")
    module, kwargs = model(transformers, name)
    ids = kwargs.pop("input_ids")
    assert [found[:3] for found in folded(module.eval(), ids, **kwargs)] == expected


def test_an_encoder_whose_caller_keeps_its_input() -> None:
    """The loop of torch's encoder keeps each layer's input while the layer runs, and that of the first one, an argument
    of the encoder, to its end: three layers, one block."""
    layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True, dropout=0.0)
    module = nn.Sequential(nn.Linear(16, 16), nn.TransformerEncoder(layer, 3), nn.Linear(16, 4))
    assert [found[:3] for found in folded(module)] == [("1.layers.*", 3, 0)]


class Between(nn.Module):
    """Parts of layers in lists, and what the model does itself between them."""

    def __init__(self, layers: int = 5) -> None:
        super().__init__()
        self.start = nn.Linear(16, 16)
        self.layers = nn.ModuleList(nn.ModuleList([nn.Linear(16, 16), Layer()]) for _ in range(layers))
        self.drop, self.norm, self.head = nn.Dropout(0.1), nn.LayerNorm(16), nn.Linear(16, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.start(x) + 1
        for first, second in self.layers:
            x = self.drop(first(x)) + x
            x = second(x) + x
        return self.head(self.norm(x))


class Plain(nn.Module):
    """Layers without parts."""

    def __init__(self, layers: int = 5) -> None:
        super().__init__()
        self.start, self.norm, self.head = nn.Linear(16, 16), nn.LayerNorm(16), nn.Linear(16, 4)
        self.layers = nn.ModuleList(nn.Linear(16, 16) for _ in range(layers))


class Before(Plain):
    """What comes before each layer."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mask = self.start(x)
        for layer in self.layers:
            x = layer(x * mask)
        return self.head(self.norm(x))


class Turns(Plain):
    """Something after every other layer."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.norm(self.start(x))
        for index, layer in enumerate(self.layers):
            x = layer(x)
            x = x.relu() if index % 2 else x
        return self.head(x)


class Once(Plain):
    """Something after one layer alone."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.start(x)
        for index, layer in enumerate(self.layers):
            x = layer(x)
            x = self.norm(x).relu() if index == 1 else x
        return self.head(x)


@pytest.mark.parametrize(
    ("module", "expected", "own"),
    [
        (Between(), [("layers.*", 5, 0)], {"drop.*", "add.*", "add_2.*", "norm", "head", "shift"}),
        (Before(), [("mul.*", 5, 0)], {"mul.*", "norm"}),
        (Turns(6), [("layers.2*", 3, 0)], {"relu.2*+1", "head"}),
        (Once(), [("layers.*", 2, 0), ("layers.*+2", 3, 0)], {"norm", "relu"}),
    ],
    ids=["after", "before", "by turns", "once"],
)
def test_what_a_model_does_itself_between_its_layers(
    module: nn.Module, expected: list[tuple[str, int, int]], own: set[str]
) -> None:
    """It has the layers' indices, and is in their block; what happens once has none."""
    assert [found[:3] for found in folded(module.train())] == expected
    names = {node.name for node in graphacct.build((module, (X,))).walk()}
    assert names >= own, names


class Again(nn.Module):
    """A part without parts of its own that runs four times, with something in between."""

    def __init__(self) -> None:
        super().__init__()
        self.part = nn.Linear(16, 16)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for _ in range(4):
            x = self.part(x).relu()
        return x


class OverTime(nn.Module):
    """A cell that takes one step of a sequence after the other."""

    def __init__(self, cell: nn.Module) -> None:
        super().__init__()
        self.cell = cell

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        state = torch.zeros(2, 16)
        for step in x.unbind(1):
            state = self.cell(step, state)
        return state


class ByHand(nn.Module):
    """A recurrent layer in two linear ones."""

    def __init__(self) -> None:
        super().__init__()
        self.take, self.keep = nn.Linear(16, 16), nn.Linear(16, 16)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        state = torch.zeros(2, 16)
        for step in x.unbind(1):
            state = torch.tanh(self.take(step) + self.keep(state))
        return state


class Weights(nn.Module):
    """Layers that are no modules: a list of parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = nn.ParameterList(nn.Parameter(torch.zeros(16, 16)) for _ in range(5))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for weight in self.weights:
            x = torch.tanh(x @ weight)
        return x


@pytest.mark.parametrize(
    ("module", "expected", "names"),
    [
        (Again(), [("part.*", 4, 0, 2)], ["part.*", "relu.*"]),
        (OverTime(nn.RNNCell(16, 16)), [("cell.linear.*", 5, 0, 4)], ["cell.linear.*", "cell.linear_2.*"]),
        (ByHand(), [("take.*", 5, 0, 4)], ["take.*", "keep.*", "add.*", "tanh.*"]),
        (Weights(), [("linear_in_out.*", 5, 0, 2)], ["linear_in_out.*", "tanh.*"]),
    ],
    ids=["again", "a cell", "by hand", "parameters"],
)
def test_loops_over_one_module_or_over_parameters(
    module: nn.Module, expected: list[tuple[str, int, int, int]], names: list[str]
) -> None:
    """A loop that is over no layers is a block of its repetitions; its parameters count once."""
    assert folded(module) == expected
    graph = graphacct.build((module, (X,)))
    found = [node.name for node in graph.walk()]
    assert [name for name in found if name in names] == names, found
    assert graphacct.account(graph).total["params"] == sum(p.numel() for p in module.parameters())


def test_a_loop_whose_steps_read_by_index_is_written_out() -> None:
    """Each step takes another index of the sequence, which is an attribute, and a block's nodes have one."""

    class ByIndex(OverTime):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            state = torch.zeros(2, 16)
            for step in range(x.shape[1]):
                state = self.cell(x[:, step], state)
            return state

    assert folded(ByIndex(nn.RNNCell(16, 16))) == []
    names = [node.name for node in graphacct.build((ByIndex(nn.RNNCell(16, 16)), (X,))).nodes]
    assert [name for name in names if name.startswith("select")] == [f"select.{step}" for step in range(5)]

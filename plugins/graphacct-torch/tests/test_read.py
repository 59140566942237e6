"""What a user gives with a module: inputs, and a dtype."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

import graphacct
from graphacct import GraphacctError


def pair() -> nn.Module:
    return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))


class Named(nn.Module):
    """Two inputs, of which one is named."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 4)

    def forward(self, x: torch.Tensor, *, scale: torch.Tensor) -> torch.Tensor:
        return self.linear(x) * scale


@pytest.mark.parametrize(
    "inputs",
    [
        ((torch.zeros(5, 8),), {}),
        ((), {"input": torch.zeros(5, 8)}),
        {"input": "5x8"},
        {"input": "5x8:float32"},
        {"input": torch.zeros(5, 8)},
    ],
)
def test_inputs(inputs: object) -> None:
    """All ways to give the same ones, with a factory's in their place or without."""
    expected = 2 * 5 * (8 * 16 + 16 * 4) + 5 * (16 + 4 + 16)  # the products, the biases and the activation
    assert graphacct.account(pair(), inputs=inputs).total["flops"] == expected
    assert graphacct.account((pair(), (torch.zeros(2, 8),)), inputs=inputs).total["flops"] == expected


def test_inputs_of_two_kinds() -> None:
    """A positional input is replaced by its name, and one that the factory does not give is added."""
    given = (Named(), (torch.zeros(2, 8),))
    assert graphacct.account(given, inputs={"x": "3x8", "scale": "3x4"}).total["matmul_flops"] == 2 * 3 * 8 * 4


@pytest.mark.parametrize(
    ("model", "inputs", "message"),
    [
        (
            pair(),
            None,
            r"'Sequential' is given no input: .* add --input input=SHAPE:DTYPE, such as 2x8:float32$",
        ),
        (Named(), {"x": "3x8"}, r"'Named' is given no scale"),
        (pair(), {"input": "5xa"}, r"input input: '5xa' is not SHAPE:DTYPE, such as 2x16:int64"),
        (pair(), {"input": "5x8:int65"}, r"input input: 'int65' is no dtype of torch: float32, "),
        (pair(), {"input": "5x8", "y": "3"}, r"got an unexpected keyword argument 'y': it takes input"),
        (pair(), torch.zeros(5, 8), r"are neither \(args, kwargs\), .* nor a mapping from names"),
        (pair(), (torch.zeros(5, 8), {}), r"has 'Tensor' for args, which are a tuple: \(x,\)"),
        ((pair(), torch.zeros(5, 8)), None, r"'Sequential' is given with a tensor: its inputs are a tuple, as \(x,\)"),
    ],
)
def test_wrong_inputs(model: object, inputs: object, message: str) -> None:
    """The message names the input and shows the form."""
    with pytest.raises(GraphacctError, match=message):
        graphacct.account(model, inputs=inputs)


def test_dtype() -> None:
    """Parameters, buffers and inputs are cast, and the module is what it was afterwards."""
    module = nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8))
    weight = module[0].weight
    given = (module.eval(), (torch.zeros(2, 8),))
    whole, half = graphacct.account(given), graphacct.account(given, dtype="bf16")
    assert half.total["param_bytes"] * 2 == whole.total["param_bytes"]
    assert half.total["flops"] == whole.total["flops"]
    assert module[0].weight is weight
    assert weight.dtype == torch.float32
    with pytest.raises(GraphacctError, match="unknown dtype 'int3'"):
        graphacct.account(given, dtype="int3")


def test_tied_parameters_stay_tied_in_another_dtype() -> None:
    """They are one parameter."""
    module = nn.Sequential(nn.Linear(8, 8, bias=False), nn.Linear(8, 8, bias=False))
    module[1].weight = module[0].weight
    assert graphacct.account((module, (torch.zeros(2, 8),)), dtype="bf16").total["param_bytes"] == 2 * 64


class SharedTable(nn.Module):
    """A table that only its tied copy reads, as T5 has it, and one that nothing reads."""

    def __init__(self) -> None:
        super().__init__()
        self.shared, self.table, self.spare = nn.Embedding(10, 4), nn.Embedding(10, 4), nn.Embedding(3, 4)
        self.table.weight = self.shared.weight

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.table(ids)


def test_a_tied_parameter_under_its_other_name_is_not_called_unread() -> None:
    """A node holds its first name, and counts it."""
    report = graphacct.account((SharedTable(), (torch.zeros(2, 5, dtype=torch.long),)))
    assert report["shared.stored"].values["params"] == 10 * 4
    assert report["table"].values["params"] == 0
    assert report["spare.weight.unread"].values["params"] == 3 * 4


def test_what_a_module_does_not_take() -> None:
    """Sizes are those of its inputs."""
    with pytest.raises(
        GraphacctError, match=r"'Sequential' takes no batch, seq_len, but inputs, dynamic, dtype; its inputs have"
    ):
        graphacct.account((pair(), (torch.zeros(2, 8),)), batch=2, seq_len=3)


def test_a_file(tmp_path: Path) -> None:
    """Its factory, and inputs from the command line's texts."""
    file = tmp_path / "model.py"
    file.write_text("from torch import nn\n\n\ndef factory():\n    return nn.Linear(8, 4)\n")
    report = graphacct.account(f"{file}:factory", inputs={"input": "7x8"})
    assert report.total["matmul_flops"] == 2 * 7 * 8 * 4


class Spread(nn.Module):
    """Repeats rows as often as an input says, and adds that input's sum as a number."""

    def forward(self, x: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
        return torch.repeat_interleave(x, counts, dim=0) * counts.sum().item()


def test_the_callers_integers_have_values() -> None:
    """Shapes and numbers may follow from them."""
    graph = graphacct.build((Spread(), (torch.zeros(2, 8), torch.tensor([3, 2]))))
    assert graph.outputs[0].spec.shape == (5, 8)


@pytest.mark.parametrize(
    ("module", "text"),
    [
        (nn.Sequential(nn.Embedding(9, 4), nn.Linear(4, 4)), "2x16:int64"),
        (nn.Linear(8, 4, dtype=torch.float64), "2x8:float64"),
        (nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU()), "1x3x224x224:float32"),
        (nn.Conv1d(5, 8, 3), "1x5x1000:float32"),
        (nn.LSTM(8, 4, batch_first=True), "2x16x8:float32"),
        (nn.GRU(8, 4), "16x2x8:float32"),
        (nn.TransformerEncoderLayer(16, 2, batch_first=True), "2x16x16:float32"),
        (nn.Sequential(nn.LazyLinear(4)), "2x16:int64 or 1x3x224x224:float32"),
        (nn.ReLU(), "2x16:int64 or 1x3x224x224:float32"),
    ],
)
def test_an_input_to_suggest_fits_the_first_layer(module: nn.Module, text: str) -> None:
    """The error of a missing input names one that the module takes."""
    name = "src" if isinstance(module, nn.TransformerEncoderLayer) else "input"
    with pytest.raises(GraphacctError, match=f"such as {text}$"):
        graphacct.account(module)
    if "Lazy" not in repr(module) and " or " not in text:
        graphacct.account(module, inputs={name: text})


def test_the_header_says_which_inputs() -> None:
    """Their names, shapes and dtypes, as `--input` takes them; of many the first six."""
    given = (Named(), (torch.zeros(2, 8),), {"scale": torch.zeros(2, 4)})
    assert graphacct.build(given).workload == {"inputs": "x=2x8:float32 scale=2x4:float32"}
    assert graphacct.build(given, dynamic={"rows": 0}).workload["inputs"] == "x=rows×8:float32 scale=rows×4:float32"
    assert graphacct.build(given, dtype="bf16").workload["inputs"] == "x=2x8:bfloat16 scale=2x4:bfloat16"

    class Many(nn.Module):
        def forward(self, *parts: torch.Tensor) -> torch.Tensor:
            return torch.stack(parts).relu()

    inputs = graphacct.build((Many(), tuple(torch.zeros(2) for _ in range(8)))).workload["inputs"]
    assert str(inputs).endswith(" parts_5=2:float32 and 2 more")

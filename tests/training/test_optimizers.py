"""Optimizers' state and steps, and what ZeRO divides, against published figures and by hand."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

import graphacct
from graphacct import ConfigError, Parameter, TensorSpec, memory
from graphacct.errors import PluginError, UnknownNameError
from graphacct.hooks.manager import Plugins, default, load
from graphacct.training.optimizers import find_optimizer, has_master, state_bytes, step_work
from graphacct.training.zero import shard

PUBLISHED = json.loads((Path(__file__).parents[1] / "goldens" / "published" / "zero_memory.json").read_text())
OPTIMIZERS = default().optimizers
GB = 10**9
HIDDEN = "transformer.h.*.mlp.c_fc.weight"


def parameter(*shape: int, dtype: str = "float32", name: str = HIDDEN) -> Parameter:
    return Parameter(name, TensorSpec(shape, dtype))


def state(optimizer: str, *shape: int, dtype: str = "float32", name: str = HIDDEN, master: str = "") -> Any:
    return state_bytes(find_optimizer(optimizer, OPTIMIZERS), parameter(*shape, dtype=dtype, name=name), master)


def test_mixed_precision_adam_is_sixteen_bytes_a_parameter() -> None:
    """2 of weight, 2 of gradient, and K = 12: the float32 copy and two moments (ZeRO, section 3.1)."""
    assert state("adamw", 10, 20, dtype="bfloat16") == 200 * 12
    assert state("adamw", 10, 20) == 200 * 8, "in float32 the parameter is its own master"
    assert state("adamw", 10, 20, dtype="bfloat16", master="none") == 200 * 4, "moments in the parameter's dtype"
    assert state("adamw", 10, 20, master="fp32") == 200 * 8, "nothing to copy"


@pytest.mark.parametrize(
    ("name", "expected"),
    [("adamw", 8), ("sgd-momentum", 4), ("sgd", 0), ("muon", 4)],
)
def test_bytes_for_each_element(name: str, expected: int) -> None:
    """State in float32, a tensor of a hidden layer; in mixed precision the master copy adds 4."""
    assert state(name, 64, 256) == expected * 64 * 256
    assert state(name, 64, 256, dtype="float16") == (expected + 4) * 64 * 256


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((64, 64), 2 * 4096 + 2 * 4 * 2),  # two blocks of 2,048
        ((4097,), 2 * 4097 + 2 * 4 * 3),  # a third one begins
        ((4095,), 8 * 4095),  # under 4,096 elements float32 stays
    ],
)
def test_eight_bit_state(shape: tuple[int, ...], expected: int) -> None:
    """A byte for each moment and a float32 scale for each block of either; small tensors stay in float32."""
    assert state("adamw-8bit", *shape) == expected


@pytest.mark.parametrize(
    ("shape", "expected"), [((64, 256), 4 * (64 + 256)), ((64,), 4 * 64), ((2, 3, 5, 7), 4 * 2 * 3 * (5 + 7))]
)
def test_adafactor_keeps_rows_and_columns(shape: tuple[int, ...], expected: int) -> None:
    """4 (r + c) for an r × c matrix, of each matrix of a larger tensor; 4 n for a vector."""
    assert state("adafactor", *shape) == expected


@pytest.mark.parametrize(
    ("name", "shape", "expected"),
    [
        (HIDDEN, (64, 256), 4),
        ("layers.3.ffn.w1.weight", (64, 256), 4),
        ("transformer.h.*.ln_1.weight", (64,), 8),
        ("transformer.wte.weight", (512, 64), 8),
        ("lm_head.weight", (512, 64), 8),
    ],
)
def test_muon_takes_the_hidden_matrices_alone(name: str, shape: tuple[int, ...], expected: int) -> None:
    """Embeddings, heads and vectors stay on AdamW, whether layers are folded or written out."""
    elements = TensorSpec(shape).elements
    assert state("muon", *shape, name=name) == expected * elements


def test_the_work_of_a_step() -> None:
    """Per element as documented; Muon's five steps of products on the shorter side (m = 4, n = 8)."""
    fc = parameter(4, 8)
    assert step_work(OPTIMIZERS["adamw"], fc).vector_flops == 14 * 32
    assert step_work(OPTIMIZERS["sgd"], fc).vector_flops == 2 * 32
    muon = step_work(OPTIMIZERS["muon"], fc)
    assert muon.matmul_flops == 5 * (2 * 4 * 4 * 8 + 2 * 4**3 + 2 * 4 * 4 * 8)
    assert muon.vector_flops == 5 * (3 * 4 * 4 + 2 * 4 * 8) + 12 * 32
    assert muon == step_work(OPTIMIZERS["muon"], parameter(8, 4)), "a tall matrix is transposed first"


def test_every_optimizer_states_its_source() -> None:
    """A formula without a source cannot be checked; and each works on every rank of tensor."""
    for name, optimizer in OPTIMIZERS.items():
        assert optimizer.name == name
        assert optimizer.doc.endswith(".")
        assert optimizer.source.endswith(".")
        for shape in ((3,), (3, 5), (3, 5, 7, 7)):
            assert type(state(name, *shape)) is int
            assert step_work(optimizer, parameter(*shape)).vector_flops > 0


def test_unknown_words_are_answered_with_the_closest() -> None:
    """A misspelt optimizer or master copy names the one that was meant."""
    with pytest.raises(UnknownNameError, match=r"^unknown optimizer 'adamv'; did you mean 'adamw'\?$"):
        find_optimizer("adamv", OPTIMIZERS)
    with pytest.raises(ConfigError, match=r"^master is fp32 or none, not 'fp31'; did you mean 'fp32'"):
        has_master(TensorSpec((2,)), "fp31")


def test_sizes_may_be_symbols() -> None:
    """The state of a matrix of unknown width is a formula."""
    sympy = pytest.importorskip("sympy")
    d = sympy.Symbol("d", integer=True, positive=True)
    spec = Parameter(HIDDEN, TensorSpec((d, 4 * d), "bfloat16"))
    assert state_bytes(OPTIMIZERS["adamw"], spec) == 12 * 4 * d**2
    assert state_bytes(OPTIMIZERS["adafactor"], spec) == 4 * 4 * d**2 + 4 * 5 * d


def ranks(params: int, dp: int, zero: int) -> int:
    """Bytes on a rank in mixed precision with Adam: 2 Ψ of weights, 2 Ψ of gradients, 12 Ψ of state."""
    part = shard(2 * params, 2 * params, 12 * params, dp, zero)
    return part.parameters + part.gradients + part.optimizer_state


def test_figure_one() -> None:
    """7.5 B parameters over 64 ranks: 120, 31.40625, 16.640625 and 1.875 GB, exactly."""
    params = 7_500_000_000
    figure = PUBLISHED["fig1"]
    for zero, key in enumerate(("baseline", "os", "os_g", "os_g_p")):
        assert Fraction(ranks(params, 64, zero), GB) == Fraction(figure[key])
        assert round(ranks(params, 64, zero) / GB, 1) == figure["printed"][zero]


@pytest.mark.parametrize("row", PUBLISHED["rows"], ids=lambda row: f"{row['params_B']}B-{row['dp']}")
def test_table_one(row: dict[str, Any]) -> None:
    """Each model and number of ranks at each stage, as far as the table prints digits (two or three decimals)."""
    params = int(row["params_B"] * GB)
    for zero, key in enumerate(("P_os", "P_osg", "P_osgp"), 1):
        assert ranks(params, row["dp"], zero) / GB == pytest.approx(row[key], abs=0.0051)


def test_a_share_rounds_up() -> None:
    """The fullest of three ranks has 34 of 100 bytes."""
    assert shard(100, 100, 100, 3, 3) == shard(34, 34, 34)


@pytest.mark.parametrize("dp", [0, -1, 2.0, True])
def test_ranks_are_a_whole_number(dp: Any) -> None:
    """No ranks, or half of one, hold nothing."""
    with pytest.raises(ConfigError, match=r"^dp is a number of data-parallel ranks, at least 1, not "):
        shard(1, 1, 1, dp, 1)


@pytest.mark.parametrize("zero", [4, -1, 1.0])
def test_stages_end_at_three(zero: Any) -> None:
    """There is no stage 4."""
    with pytest.raises(ConfigError, match=r"^zero is a ZeRO stage, 0 to 3, not "):
        shard(1, 1, 1, 2, zero)


LION = """
import graphacct


@graphacct.hookimpl
def graphacct_register_optimizers():
    return [
        graphacct.Optimizer("{name}", "One momentum.", "Chen et al., 2023.", lambda spec: {state}, lambda spec: {step})
    ]
"""


def registered(
    tmp_path: Path, name: str = "lion", state: str = "spec.bytes", step: str = "graphacct.Work()"
) -> Plugins:
    """The plugins with an optimizer of a file."""
    file = tmp_path / "lion.py"
    file.write_text(LION.format(name=name, state=state, step=step))
    return load(files=[str(file)])


def test_an_optimizer_of_a_stranger(tmp_path: Path) -> None:
    """A momentum of 4 bytes for each of the parameters, and 6 FLOPs, by name wherever a step is accounted."""
    step = "graphacct.Work(vector_flops=6 * spec.elements)"
    plugins = registered(tmp_path, step=step)
    sizes: dict[str, Any] = {"seq_len": 8, "set": {"n_layer": 2, "n_embd": 64, "n_head": 4, "vocab_size": 512}}
    total = graphacct.account("gpt2", phase="train", optimizer="lion", plugins=plugins, **sizes).total
    assert total["optimizer_state_bytes"] == 4 * total["params"]
    assert total["optimizer_flops"] == 6 * total["params"]
    assert memory("gpt2", optimizer="lion", plugins=plugins, **sizes).optimizer_state == 4 * total["params"]
    with pytest.raises(UnknownNameError, match="unknown optimizer 'lino'; did you mean 'lion'"):
        memory("gpt2", optimizer="lino", plugins=plugins, **sizes)


@pytest.mark.parametrize(
    ("faulty", "message"),
    [
        ({"state": "1 / 0"}, "its state failed: ZeroDivisionError"),
        ({"state": "'much'"}, "its state is 'much', which is no number of bytes"),
        ({"state": "-1"}, "its state is -1, which is no number of bytes"),
        ({"step": "5"}, "its step is 5, which is no Work"),
        ({"step": "spec.sizes"}, "its step failed: AttributeError"),
    ],
)
def test_an_optimizer_that_fails_is_named(tmp_path: Path, faulty: dict[str, str], message: str) -> None:
    """With the parameter at which it did, and never as a wrong number."""
    plugins = registered(tmp_path, **faulty)
    with pytest.raises(PluginError, match=r"^optimizer 'lion' on parameter 'transformer\.wte\.weight': ") as caught:
        graphacct.account("gpt2", phase="train", seq_len=8, optimizer="lion", plugins=plugins)
    assert message in str(caught.value)


def test_an_optimizer_of_a_taken_name(tmp_path: Path) -> None:
    """Both plugins are named."""
    with pytest.raises(
        PluginError, match=r"optimizer 'muon' is registered twice, by graphacct\.builtin .* and by lion"
    ):
        _ = registered(tmp_path, name="muon").optimizers


def test_the_first_is_the_default() -> None:
    """The core registers first, and AdamW first of its own."""
    assert find_optimizer("", OPTIMIZERS).name == next(iter(OPTIMIZERS)) == "adamw"

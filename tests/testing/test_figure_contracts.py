"""The contracts of optimizers, weight formats and devices: what each inherited test finds, and what it says to do."""

from __future__ import annotations

from typing import Any

import pytest

from graphacct import Device, Optimizer, Option, StoredTensor, WeightFormatKind, Work
from graphacct.testing import DeviceContract, Matrix, OptimizerContract, Update, WeightFormatContract
from graphacct.testing.contract import failures

# optimizers

SOURCE = "Chen et al., 2023 (arXiv:2302.06675). 9 per element: the interpolation 3, and others."
LION_ROW = Update((4, 6), state_bytes=4 * 24, vector_flops=9 * 24)


def per_element(spec: Any) -> Work:
    return Work(vector_flops=9 * spec.elements)


def optimizer(state: Any = lambda spec: spec.bytes, step: Any = per_element, **facts: Any) -> Any:
    told = {"doc": "One momentum for each element.", "source": SOURCE, **facts}
    rows = told.pop("rows", [LION_ROW, Update((5,))])
    return OptimizerContract.of(Optimizer("mine", state=state, step=step, **told), rows=rows)


def test_a_sound_optimizer() -> None:
    assert [*failures(optimizer())] == []
    matrices = optimizer(
        lambda spec: spec.shape[0] * spec.shape[1],
        others=Optimizer("rest", "None.", SOURCE, lambda s: 0, per_element),
        rows=[Update((4, 6), state_bytes=24)],
    )
    assert [*failures(matrices)] == []


@pytest.mark.parametrize(
    ("contract", "test", "says"),
    [
        (
            optimizer(rows=[Update((4, 6), state_bytes=24)]),
            "test_rows_state_the_figures",
            "optimizer 'mine': state_bytes of float32[4, 6] is 96, and the row says 24. One of the two is wrong",
        ),
        (optimizer(rows=[]), "test_rows_state_the_figures", "no row states a figure. Work one out by hand: rows = (Up"),
        (
            optimizer(doc="", rows=[LION_ROW]),
            "test_it_says_what_it_keeps_and_where_that_is_from",
            "it has no doc. Say in a sentence what it is",
        ),
        (optimizer(source=""), "test_it_says_what_it_keeps_and_where_that_is_from", "it has no source. Say where"),
        (
            optimizer(source="Chen et al."),
            "test_it_says_what_it_keeps_and_where_that_is_from",
            "its source states no factor: 'Chen et al.'. Say there, or in the docstring of step, what is counted",
        ),
        (
            optimizer(lambda spec: 4 * (spec.shape[0] + spec.shape[1])),
            "test_every_parameter_can_be_updated",
            "a parameter float32[] raises IndexError: tuple index out of range. state and step are asked for every",
        ),
        (
            optimizer(lambda spec: spec.bytes / 2),
            "test_every_parameter_can_be_updated",
            "the state of float32[] is 2.0. Return its bytes: spec.bytes for one copy.",
        ),
        (
            optimizer(step=lambda spec: 9 * spec.elements),
            "test_every_parameter_can_be_updated",
            "its step is 9. Return graphacct.Work(vector_flops=…).",
        ),
        (
            optimizer(lambda spec: max(spec.bytes, 64)),
            "test_symbols_agree_with_ints",
            "float32[4, 6] raises TypeError with a symbol as size: cannot determine truth value of Relational",
        ),
        (
            optimizer(
                lambda spec: spec.bytes if isinstance(spec.shape[-1:], tuple) and type(spec.elements) is int else 0
            ),
            "test_symbols_agree_with_ints",
            "and 0 with a symbol as size. Formulas write exact_div",
        ),
        (
            optimizer(lambda spec: 4096 - spec.bytes),
            "test_figures_never_fall_when_a_size_grows",
            "state_bytes falls from 4000 to 3904 when dim_0 grows from 4 to 8 in float32[4, 6]. Mend the",
        ),
    ],
)
def test_a_broken_optimizer(contract: Any, test: str, says: str) -> None:
    found = dict(failures(contract))
    assert test in found, found
    assert says in found[test]


# weight formats


def stored(group: int) -> list[StoredTensor]:
    return [StoredTensor("W_q", 1, columns=2), StoredTensor("scale", 2, columns=group)]


GROUP = Option("group", int, 64, "Inputs that share a scale.")
HALF = Matrix(8, 128, bytes=8 * (64 + 2 * 2), scale=8 * 2 * 2)


def format_(tensors: Any = stored, options: Any = (GROUP,), rows: Any = (HALF,), **facts: Any) -> Any:
    told = {"doc": "4 bits, and a scale for each group.", "source": "mobiusml/hqq, hqq/core/quantize.py", **facts}
    kind = WeightFormatKind(told.pop("name", "mine"), tensors=tensors, options=options, **told)
    return WeightFormatContract.of(kind, rows=rows)


def test_a_sound_weight_format() -> None:
    assert [*failures(format_())] == []
    assert [*failures(format_(rows=[HALF, Matrix(8, 128, {"group": 32}, scale=8 * 4 * 2)]))] == []


@pytest.mark.parametrize(
    ("contract", "test", "says"),
    [
        (
            format_(rows=[Matrix(8, 128, bytes=512)]),
            "test_rows_state_the_figures",
            "weight format 'mine': bytes of a matrix of 8 × 128 is 544, and the row says 512. One of the two is wrong",
        ),
        (format_(rows=[]), "test_rows_state_the_figures", "no row states a figure"),
        (
            format_(source=""),
            "test_it_says_what_it_stores_and_where_that_is_from",
            "it has no source. Say where its lay",
        ),
        (
            format_(options=(Option("group", int, "64", "Inputs that share a scale."),)),
            "test_it_says_what_it_stores_and_where_that_is_from",
            "the default of option 'group' is '64', which is not an integer. Every option of a format has a default",
        ),
        (
            format_(options=(Option("group", int, 64, "group"),)),
            "test_it_says_what_it_stores_and_where_that_is_from",
            "option 'group' says 'group'. Say in its help what it does.",
        ),
        (
            format_(lambda group: [StoredTensor("w", 1, columns=2), StoredTensor("w", 2, columns=group)]),
            "test_it_stores_whole_tensors",
            "it stores w, w for a matrix of 8 × 128. Give each StoredTensor a name.",
        ),
        (
            format_(rows=[Matrix(8, 100, bytes=416)]),
            "test_it_stores_whole_tensors",
            "8 × 100 cannot be stored: its 100 inputs are no whole number of blocks of 64 (scale). Take a row",
        ),
        (
            format_(lambda group: [StoredTensor("w", 8 // group, columns=group)]),
            "test_strange_options_are_errors",
            "group=0: weight format 'mine' failed: ZeroDivisionError: integer division or modulo by zero",
        ),
        (
            format_(lambda kind: [{"a": StoredTensor("w", 1)}[kind]], (Option("kind", str, "a", "Which of them."),)),
            "test_strange_options_are_errors",
            "kind='no such value': weight format 'mine' failed: KeyError: 'no such value'",
        ),
        (format_(name="a:b"), "test_its_written_form_reads_back", "--weights a:b raises unknown weight format 'a'"),
    ],
)
def test_a_broken_weight_format(contract: Any, test: str, says: str) -> None:
    found = dict(failures(contract))
    assert test in found, found
    assert says in found[test]


def test_a_block_of_fewer_than_no_bytes() -> None:
    """What no tensor can be is refused where it is made, with the option that led to it."""
    kind = WeightFormatKind("mine", "Half a byte.", "notes", stored, (GROUP,))
    with pytest.raises(Exception, match=r"weights 'mine:group=-7': 'scale' has columns=-7, which is no count"):
        kind.format(group=-7)


# devices


def device(name: str = "mine", size: int = 2**36, source: str = "nvidia-smi", **facts: Any) -> Any:
    return DeviceContract.of(Device(name, size, source, **facts))


def test_a_sound_device() -> None:
    assert [*failures(device(aliases=("half a node",)))] == []
    assert [*failures(device(size=80 * 10**9, nominal=True))] == []


@pytest.mark.parametrize(
    ("contract", "test", "says"),
    [
        (device(source=" "), "test_it_says_where_its_bytes_are_from", "device 'mine': it has no source. Say where"),
        (device(size=80), "test_its_bytes_are_bytes", "it has 80 bytes. Give bytes: 80 GiB is 80 * 2**30."),
        (
            device(size=80 * 10**9),
            "test_its_bytes_are_bytes",
            "its 80,000,000,000 bytes are a round number of GB, as the product is called. Give what the device reports",
        ),
        (
            device(aliases=("h100",)),
            "test_its_names_mean_it_alone",
            "--on 'h100': device 'h100' may be H100-SXM or mine",
        ),
        (
            device("h 200-SXM"),
            "test_its_names_mean_it_alone",
            "may be H200-SXM or h 200-SXM: name one of them. Another",
        ),
        (device("mine.toml"), "test_a_model_is_held_against_it", "mine.toml"),
        (device("all"), "test_a_model_is_held_against_it", ""),
    ],
)
def test_a_broken_device(contract: Any, test: str, says: str) -> None:
    found = dict(failures(contract))
    assert test in found, found
    assert says in found[test]

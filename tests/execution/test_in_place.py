"""Operations in place: the output lies in the first operand's storage, and a copy is kept where the gradient needs what
was overwritten."""

import json

import pytest

import graphacct
from graphacct import Builder, OperatorError, TensorSpec, account
from graphacct.execution.saved_storages import saved_bytes
from graphacct.execution.schedule import schedule
from graphacct.hooks.manager import default

OPERATORS = default().operators
X = 6 * 12 * 4  # bytes of x


def graph(operator, *others, in_place=True, **attributes):
    """x (6, 12) through a linear layer, then the operator in place, then a sum."""
    b = Builder("net", OPERATORS)
    h = b.apply("linear", b.input("x", (6, 12)), b.parameter("a.weight", (12, 12)), name="a")
    operands = [b.parameter("p", shape) if isinstance(shape, tuple) else shape for shape in others]
    y = b.apply(operator, h, *operands, name="y", in_place=in_place, **attributes)
    return b.graph(b.apply("sum", y, name="loss", dim=(0, 1), keepdim=False))


def calls(net):
    return [(call.name, call.node.name) for call in schedule(net, OPERATORS).calls]


def test_output_is_in_the_first_operands_storage():
    made, _ = (schedule(graph("relu", in_place=flag), OPERATORS).calls[1] for flag in (True, False))
    assert made.outputs[0].storage is made.operands[0].storage
    apart = schedule(graph("relu", in_place=False), OPERATORS).calls[1]
    assert apart.outputs[0].storage is not apart.operands[0].storage


def test_work_and_bytes_stay_and_no_storage_is_allocated():
    (here,), (apart,) = (
        [row for row in account(graph("relu", in_place=flag)).annotated.costs if row.node.name == "y"]
        for flag in (True, False)
    )
    for figure in ("vector_flops", "read_bytes", "write_bytes"):
        assert getattr(here.cost, figure) == getattr(apart.cost, figure) > 0
    assert (here.cost.activation_bytes, apart.cost.activation_bytes) == (0, X)


@pytest.mark.parametrize(
    ("operator", "others", "attributes", "kept", "copies"),
    [
        ("relu", (), {}, X, 0),  # its output, which is x's storage
        ("scale", (), {}, 0, 0),
        ("clamp", (), {}, X, 1),  # needs x, which is gone: a copy
        ("leaky_relu", (), {"slope": 0.1}, X, 0),  # torch takes the gradient from the output
        ("mul", ((12,),), {}, X, 1),  # the gradient of p needs x
        ("add", ((12,),), {}, 0, 0),
    ],
)
def test_what_is_kept(operator, others, attributes, kept, copies):
    """As torch 2.13 keeps it: plugins/graphacct-torch/tests/test_in_place.py measures it."""
    net = graph(operator, *others, **attributes)
    assert saved_bytes(schedule(net, OPERATORS)) == kept
    assert sum(name == "copy of an overwritten tensor" for name, _ in calls(net)) == copies


def test_no_copy_without_a_gradient():
    b = Builder("net", OPERATORS)
    x = b.input("x", (4,))
    net = b.graph(b.apply("clamp", x, in_place=True))
    assert calls(net) == [("clamp", "clamp")]
    assert schedule(net, OPERATORS).outputs[0].storage.kind == "input"


def test_result_takes_the_operands_dtype():
    spec = OPERATORS["add"].apply([TensorSpec((3,), "float16"), TensorSpec((3,), "float32")], {"in_place": True})
    assert spec.outputs == (TensorSpec((3,), "float16"),)


def test_in_place_through_a_view():
    """x[:, :4] *= 2: the work of 24 elements, and no storage but x's."""
    b = Builder("net", OPERATORS)
    x = b.apply("linear", b.input("x", (6, 12)), b.parameter("a.weight", (12, 12)), name="a")
    part = b.apply("slice", x, dim=1, start=0, length=4)
    part = b.apply("scale", part, name="scaled", in_place=True)
    x = b.apply("written_through", x, part)
    net = b.graph(b.apply("sum", x, dim=(0, 1), keepdim=False))
    report = account(net, phase="train")
    scaled = next(row for row in report.annotated.costs if row.node.name == "scaled")
    assert scaled.cost.vector_flops == 24
    assert report.total["peak_bytes"] == X + 4


def test_saved_graph_keeps_the_attribute(tmp_path):
    path = tmp_path / "net.json"
    net = graph("relu")
    graphacct.save(net, str(path))
    again = graphacct.load(str(path))
    assert again == net
    assert json.loads(path.read_text())["nodes"][1]["attributes"] == {"in_place": True}
    assert account(again, phase="train").total == account(net, phase="train").total


@pytest.mark.parametrize(
    ("operator", "specs", "attributes", "message"),
    [
        ("relu", [TensorSpec((2,))], {"in_place": 1}, "attribute 'in_place' is True or False, not 1"),
        (
            "add",
            [TensorSpec((2,)), TensorSpec((3, 2))],
            {"in_place": True},
            r"in_place=True: the output float32\[3, 2\] has another shape than the first operand float32\[2\]",
        ),
        (
            "reshape",
            [TensorSpec((2,))],
            {"shape": (2, 1), "in_place": True},
            "makes a view, which writes nothing: in_place=True is for",
        ),
        ("full", [], {"shape": (2,), "in_place": True}, "takes no operand that in_place=True could overwrite"),
        ("split", [TensorSpec((4,))], {"sizes": (2, 2), "dim": 0, "in_place": True}, "makes a view"),
    ],
)
def test_what_cannot_be_in_place(operator, specs, attributes, message):
    with pytest.raises(OperatorError, match=message):
        OPERATORS[operator].apply(specs, attributes)

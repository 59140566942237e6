"""A module is given back as it was, and what it is made of is found whatever holds it."""

import dataclasses
import typing

import pytest
import torch
from torch import nn

import graphacct
from graphacct import account

X = (torch.zeros(2, 4),)


class Keeps(nn.Module):
    """It keeps what it computes: as an attribute, in a list, in a dictionary, in a buffer, and trains no more."""

    def __init__(self):
        super().__init__()
        self.a, self.seen, self.by_name, self.runs = nn.Linear(4, 4), [], {"first": 1}, 0
        self.register_buffer("mean", torch.full((4,), 3.0))
        self.frozen = (torch.ones(4), "text")

    def forward(self, x):
        y = self.a(x) + self.frozen[0]
        self.last = y
        self.seen.append(y)
        self.by_name["second"] = y
        self.mean = y.mean(0)
        self.runs += 1
        torch.manual_seed(0)
        return y


def test_module_is_as_it_was():
    module = Keeps()
    handle = module.register_forward_hook(lambda *_: None)
    weight, hooks, state = module.a.weight, dict(module._forward_hooks), torch.get_rng_state()
    graphacct.build((module, X))
    assert module.a.weight is weight
    assert weight.grad is None
    assert not hasattr(module, "last")
    assert (module.seen, module.by_name, module.runs) == ([], {"first": 1}, 0)
    assert module.mean.tolist() == [3.0] * 4
    assert module._forward_hooks == hooks
    assert type(module.frozen[0]) is torch.Tensor
    assert module.training
    assert torch.equal(torch.get_rng_state(), state)
    assert module(*X).isfinite().all()  # real numbers again
    handle.remove()


def test_module_is_as_it_was_after_an_error():
    module = nn.Sequential(nn.Linear(4, 4), nn.Linear(5, 5))
    weight = module[0].weight
    with pytest.raises(graphacct.GraphacctError, match="module '1'"):
        graphacct.build((module, X))
    assert module[0].weight is weight
    assert module[0](*X).shape == (2, 4)


def test_inputs_are_the_callers():
    class Changes(nn.Module):
        def forward(self, given):
            given["x"] = given["x"] * 2
            return given["x"] + given["rest"][0]

    inputs = {"x": torch.ones(2, 4), "rest": [torch.ones(4)]}
    graphacct.build((Changes(), (inputs,)))
    assert inputs["x"].tolist() == [[1.0] * 4] * 2
    assert type(inputs["rest"][0]) is torch.Tensor


def test_caller_may_be_without_gradients():
    with torch.inference_mode():
        module = (nn.Linear(4, 4), X)
    with torch.no_grad():
        total = account(module, phase="train").total
    assert total["step_matmul_flops"] == 2 * 2 * 2 * 4 * 4  # no gradient of the input


def test_lazy_modules_get_their_sizes_in_a_copy():
    module = nn.Sequential(nn.LazyConv2d(3, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(8))
    total = account((module, (torch.zeros(2, 1, 5, 5),))).total
    assert total["params"] == 3 * 9 + 3 + 27 * 8 + 8
    assert isinstance(module[0], nn.LazyConv2d)
    assert nn.parameter.is_lazy(module[3].weight)


@dataclasses.dataclass
class Result:
    hidden: torch.Tensor
    extra: dict
    nothing: None = None


class Pair(typing.NamedTuple):
    first: torch.Tensor
    second: torch.Tensor


class Returns(nn.Module):
    def __init__(self, form):
        super().__init__()
        self.form, self.a, self.b = form, nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x):
        return self.form(self.a(x), self.b(x))


def test_outputs_of_any_form():
    forms = (
        lambda a, b: (a, None, [b]),
        lambda a, b: {"a": a, "b": {"c": b}},
        lambda a, b: Pair(a, b),
        lambda a, b: Result(a, {"b": b}),
        lambda a, b: (Result(a, {}), 3, "word", b),
    )
    for form in forms:
        graph = graphacct.build((Returns(form), X))
        assert [value.name for value in graph.outputs] == ["a", "b"]


def test_inputs_of_any_form():
    class Takes(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Linear(4, 4)

        def forward(self, pair, result, *, names):
            return self.a(pair.first) + self.a(pair.second) + result.hidden + names["x"]

    def x():
        return torch.zeros(2, 4)

    graph = graphacct.build((Takes(), (Pair(x(), x()), Result(x(), {})), {"names": {"x": x()}}))
    assert account(graph).total["matmul_flops"] == 2 * 2 * 2 * 4 * 4
    assert [node.name for node in graph.walk() if node.operator == "linear"] == ["a.*"]  # runs 0 and 1 of the layer a


def test_tensors_that_nothing_registers():
    """In a list, a tuple, a closure; a large one without data."""
    large, small = torch.empty(4, 5000, device="meta"), torch.ones(4)

    class Closes(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.tables = nn.Linear(4, 4), [torch.ones(4), (torch.empty(4, device="meta"),)]

        def forward(self, x):
            return (self.a(x) + self.tables[0] + self.tables[1][0] + small) @ large

    total = account((Closes(), X)).total
    assert (total["params"], total["matmul_flops"]) == (20, 2 * 2 * 4 * 4 + 2 * 2 * 4 * 5000)


class Shared(nn.Module):
    """One layer under two names, used three times, and in a loop as long as an input's first dimension."""

    def __init__(self):
        super().__init__()
        self.a = nn.Linear(4, 4)
        self.again, self.rest = self.a, nn.ModuleList([nn.Identity(), self.a])

    def forward(self, x):
        for part in x:
            x = self.rest[1](self.again(self.a(x))) + part
        return self.rest[0](x)


def test_one_layer_under_several_names():
    graph = graphacct.build((Shared(), X))
    total = account(graph).total
    assert (total["params"], total["matmul_flops"]) == (20, 2 * 3 * 2 * 2 * 4 * 4)
    assert graph.outputs[0].spec.shape == (2, 4)


def test_hooks_that_change_inputs_and_outputs():
    module = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
    module[0].register_forward_pre_hook(lambda part, inputs: (inputs[0] * 2,))
    module[0].register_forward_hook(lambda part, inputs, output: output + 1)
    operators = [node.operator for node in graphacct.build((module, X)).walk()]
    assert sorted(operators) == ["linear", "relu", "scale", "shift"]


def test_compiled_modules_run_as_they_are():
    plain = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
    inner = nn.Sequential(torch.compile(nn.Linear(4, 4)), nn.ReLU())
    for module in (torch.compile(plain), inner):
        graph = graphacct.build((module, X))
        assert [node.operator for node in graph.walk()] == ["linear", "relu"]
    assert graphacct.build((torch.compile(plain), X)).name == "Sequential"

"""Known values: masks and positions that code branches on, however large, and what is picked from them."""

import pytest
import torch
from graphacct_torch.capturing import values
from torch import nn

import graphacct
from graphacct import account


@pytest.fixture(autouse=True)
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Masks of the sizes below count as large."""
    monkeypatch.setattr(values, "MOST_ELEMENTS", 2**16)


class Masked(nn.Module):
    """It applies one layer where a mask says so and two where not, which `keeps` makes of the input."""

    def __init__(self, keeps):
        super().__init__()
        self.keeps, self.a, self.b = keeps, nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x):
        y = self.a(x)
        return y if self.keeps(x).all() else self.b(y)


def inverted(x):
    """A mask of each position for each, as encoders of long texts make it."""
    mask = torch.ones(x.shape[0], x.shape[1])[:, None, None, :].expand(-1, 1, x.shape[1], x.shape[1]).to(x.dtype)
    turned = 1.0 - mask
    return (turned.masked_fill(turned.bool(), -1e9) * turned)[:, 0, 0, :] == 0


LARGE = {
    "ones": lambda x: torch.ones(2, 900, 900),
    "filled": lambda x: torch.full_like(x[:, :1, :1].expand(-1, 900, 900), 2.0) > 1,
    "new": lambda x: x.new_zeros(2, 900, 900).bool().logical_not(),
    "like an input": lambda x: torch.zeros_like(x, dtype=torch.int64).bool().logical_not(),
    "like a large input": lambda x: torch.ones_like(x[:1].expand(600, 500, 4)) > 0,
    "of an input": lambda x: x.new_full((3, 4), 2.0).t() == x.new_full((4, 3), 2.0),
    "inverted": inverted,
    "a row": lambda x: (torch.arange(600)[None, :].expand(600, 600) + torch.zeros(600, 600)) < 600,
    "resized": lambda x: nn.functional.interpolate(torch.ones(2, 1, 480, 480), size=(12, 12)).long(),
    "sums": lambda x: torch.ones(2, 480, 480).sum(1) == 480,
    "chosen": lambda x: torch.ones(2, 144)[:, torch.multinomial(torch.ones(144), 100)],
    "by rows": lambda x: torch.ones(2, 144).gather(1, x.argsort(1)[:, :, 0] % 144),
}


@pytest.mark.parametrize("keeps", LARGE.values(), ids=LARGE)
@pytest.mark.parametrize("opposite", [False, True])
def test_branches_on_large_masks(keeps, opposite):
    """The branch that data takes."""
    chosen = (lambda x: ~keeps(x).bool()) if opposite else keeps
    x = torch.zeros(2, 500, 4)
    assert bool(chosen(x).all()) is not opposite
    products = account((Masked(chosen), (x,))).total["matmul_flops"]
    assert products == (1 + opposite) * 2 * 2 * 500 * 4 * 4


UNKNOWN = {
    "not all alike": lambda x: (torch.arange(144) % 2)[torch.multinomial(torch.ones(144), 100)],
    "differs everywhere": lambda x: torch.arange(600)[None, :] * torch.ones(600, 600) + torch.arange(600)[:, None] >= 0,
    "written into": lambda x: torch.ones(600, 600).index_fill_(0, torch.tensor([1]), 0.0),
    "written through a view": lambda x: torch.ones(600, 600).t()[0].zero_(),
    "of strides": lambda x: torch.ones(1, 600).expand(600, 600).as_strided((600, 600), (600, 1)),
}


@pytest.mark.parametrize("keeps", UNKNOWN.values(), ids=UNKNOWN)
def test_what_is_not_known(keeps):
    """Values that chance or a write decides, and large ones in which few are alike."""
    with pytest.raises(graphacct.GraphacctError, match="module 'Masked' asks for a value that only data has"):
        account((Masked(keeps), (torch.zeros(2, 500, 4),)))


def test_strides_of_a_small_mask_that_repeats():
    """Where its elements lie is not known, whatever its size."""
    with pytest.raises(graphacct.GraphacctError, match="module 'Masked' asks for a value that only data has"):
        account(
            (Masked(lambda x: torch.ones(1, 20).expand(20, 20).as_strided((20, 20), (20, 1))), (torch.zeros(2, 5, 4),))
        )


CHANCE = {
    "a number": lambda x: torch.rand([]) > 0.5,
    "of a table": lambda x: (torch.randint(0, 2, (3,)) * torch.arange(3)).sum() == 0,
    "drawn by weights": lambda x: torch.multinomial(torch.ones(8), 1),
}


@pytest.mark.parametrize("keeps", CHANCE.values(), ids=CHANCE)
def test_branches_on_random_numbers(keeps):
    """Another error than that of data: what decides has a probability, which the configuration sets."""
    with pytest.raises(graphacct.GraphacctError, match=r"branches on a random number \(test_values.py.*set its probab"):
        account((Masked(keeps), (torch.zeros(2, 5, 4),)))
    both = lambda x: keeps(x) + x.sum()  # noqa: E731
    with pytest.raises(graphacct.GraphacctError, match="asks for a value that only data has"):
        account(Masked(both), inputs={"x": "2x5x4"})


def test_operators_of_numbers_alone():
    """torch makes tensors of them: a quotient of two floating-point numbers is 1 FLOP, one of integers none."""

    class Numbers(nn.Module):
        def forward(self, x):
            half = torch.div(x.shape[1], 2, rounding_mode="trunc")
            return x[:, : int(half)] * torch.div(7.0, 2)

    assert account((Numbers(), (torch.zeros(2, 6),))).total["flops"] == 2 * 3 + 1


@pytest.mark.parametrize("mode", ["trunc", "floor"])
def test_integers_divided(mode):
    """One operator, whose work is bytes."""

    class Divided(nn.Module):
        def forward(self, ids):
            return ids.div(ids + 1, rounding_mode=mode)

    report = account((Divided(), (torch.zeros(6, dtype=torch.int64),)))
    assert [record.node.operator for record in report.annotated.costs] == ["shift", "floor_divide"]
    assert report.total["flops"] == 0

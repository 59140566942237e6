"""unbind: what it gives, and that its contract holds."""

import pytest
from graphacct_operators.shape import unbind

from graphacct import ShapeError, TensorSpec
from graphacct.testing import OperatorContract, Row


class TestUnbind(OperatorContract):
    operator = unbind
    rows = (
        Row(lambda b, e: ([(b, 4, e)], {"dim": 1}), sizes={"b": 3, "e": 5}, read_bytes=0, outputs=[(3, 5)] * 4),
        Row(lambda e: ([(2, e)], {}), sizes={"e": 7}, outputs=[(7,)] * 2),
    )
    reference = "torch.unbind"


@pytest.mark.parametrize(("size", "message"), [(20_000, "20,000 parts are too many"), ("n", "it must be a number")])
def test_the_parts_are_counted(size: object, message: str) -> None:
    sympy = pytest.importorskip("sympy")
    shape = (sympy.Symbol(size, integer=True, positive=True) if isinstance(size, str) else size, 2)
    with pytest.raises(ShapeError, match=message):
        unbind.apply([TensorSpec(shape)], {})

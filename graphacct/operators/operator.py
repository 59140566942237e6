"""Operators: a signature for the shapes, a formula for the work, and what the backward pass saves.

    @operator("x: ... n -> ... n", saves={"out": "the gradient is out * (g - sum(g * out))"})
    def softmax(batch, n):
        '''Softmax over the last dimension. 5 per element: max, subtract, exp, sum, divide.'''
        return Work(vector_flops=5 * batch * n, transcendentals=batch * n)

The formula asks for what it needs by name: a dimension of the signature, `batch` (the product of the dimensions that
`...` stands for), an operand or an output (its TensorSpec, or None for an optional operand that is absent), or, after
`*`, an attribute with its default. Its docstring states the factor per element and its source: `explain` prints it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import attrs

from graphacct.answers import Answers, noting, same_again
from graphacct.decisions import active
from graphacct.dims import Dim, check_dim, prod
from graphacct.errors import OperatorError, ShapeError, suggest
from graphacct.layout import ordered
from graphacct.operators.application import Application
from graphacct.operators.arguments import PAIRS, REQUIRED, Plan, arguments, plan
from graphacct.operators.cost import Work, full_cost
from graphacct.operators.in_place import IN_PLACE, in_place_asked, overwritten
from graphacct.operators.mask import Mask, Share
from graphacct.operators.saved import Saved
from graphacct.operators.shape_inference import as_specs, check_specs, result_dtype
from graphacct.operators.signature import Signature
from graphacct.tensors import COMPLEX, FLOATING, TensorSpec

NOTHING = Work()
OF_COMPLEX = 4
"""Real multiply-adds in one of complex numbers: (a + bi)(c + di) is four products, two sums, and two more to add it."""
PLAIN = frozenset((int, float, bool, str, type(None)))
"""The types of attributes of which nothing is decided anew."""
MOST_REMEMBERED = 4096
"""Applications that an operator remembers; a model has a few dozen kinds of operands, a sweep any number."""


@attrs.frozen(eq=False, repr=False)
class Operator:
    """How one kind of node computes.

    Attributes:
        name: What graphs call it.
        signature: The operands' and outputs' dimensions.
        formula: Returns the work of one application, given dimensions and attributes by name. None, or a return value
            of None, if the contraction is all the work.
        contracts: The operands whose product this is; their work is 2 FLOPs for each combination of all dimensions.
        saves: What the backward pass needs. view: Whether the outputs share the first operand's storage, or a function
        like the formula that returns this.
        infer: A function like the formula that returns the outputs, for what the signature cannot express.
        dtype: The outputs' dtype; or `promote` for the one that the operands promote to, as in torch; or `floating` for
            that one, but float32 for integers, as torch divides them. Empty means the first floating-point operand's,
            or else the first operand's.
        doc: The factor per element and its source.
        replaces: Whether it takes the place of an operator of this name from another plugin.
        gradients: The work of each operand's gradient: a function like the formula by operand, or under `*` one for all
            operands together. A contracted operand's gradient is a contraction of the same size, which is added. Views
            need none, nor do operands without a gradient. Such a function may ask for `which`, the place of the operand
            whose gradient it is, and for `wanted`, a bool for each operand that says whose gradients are computed.
        recomputes: The work of the forward pass that the backward kernel repeats because too little was saved, as a
            function like the formula. It is part of no gradient: the hardware does it, the model does not ask for it.
        attributes: Defaults of the attributes, by name; REQUIRED if there is none.
        preexisting: True for outputs that exist before the graph runs, such as a cache from an earlier step. They are
            freed after their last use. (Any other view without operands is a table, which stays.)
        attention: Its part in attention: `weights` if it turns scores into weights (a softmax), `whole` if it does
            scores, weights and weighted sum in one. Selective recomputation looks for both.
        preserves_layout: True if its outputs have the memory layout of the first operand of their shape, as those of
            torch's element-wise kernels do; otherwise they are row-major. May name an attribute that decides.
        caches: For an operator whose outputs stay in a cache for the next step: the bytes that one more token of one
            sequence adds, as a function like the formula; 0 if it does not grow. A cache with a limit says what a token
            adds while there is room.
        caches_next: Likewise, what the very next token adds, which is nothing if the cache is full, and may be below 0;
            as `caches` unless given.
        stacks: Whether it stacks the results of a block's repetitions when the block is unrolled. It is a view, or else
            folded and unrolled graphs would not cost the same.
        argument: Whether it stands for an argument of a layer's function that nothing reads. If the layer runs again in
            the backward pass, its operand stays until then.
        by_rule: Whether its cost is a rule's estimate of what another library calls what the attribute `of` says; the
            coverage of a report names it.
        gradient_from_output: Whether its gradient can be computed from its output as well as from its first operand, as
            that of leaky_relu. In place it saves its output then, and otherwise a copy of the operand.
        stops_gradient: Whether no gradient flows from its outputs to its operands, though both may be floating-point.
        starts_gradient: Whether its outputs are variables of their own: a training step computes their gradient, which
            stays to its end. Such an operator `stops_gradient` too.
        writes_through: Whether it is its first operand after the second, a view of it, was written into. In the
            backward pass it is one node with the operator that wrote (`execution/slice_writes.py`).
        states_parts: Whether its formulas count the multiply-adds of real numbers even where operands are complex; the
            core takes those of any other operator as multiply-adds of complex numbers, 4 of real ones each.
        known_as: Its names in other libraries, for suggestions.
        more_operands: What to do with more operands than it takes, for the error: write a product of three as two.
        role: What it is for in a model, if it is always for the same: `embedding`, `norms`, `experts`, `loss`
            (`graphacct/costs/roles.py`).
        pairs: For an operator that is `whole` attention: its dimensions of queries and keys. Its functions may then ask
            for `pairs`, those of them that are counted, and its products are in proportion to them. Without it all its
            work is.
        sees: For an operator that makes a mask, or applies one by itself: which keys each query sees, a Mask, as a
            function like the formula; None for all of them.
    """

    name: str
    signature: Signature
    formula: Callable[..., Work | None] | None = None
    contracts: tuple[str, ...] = ()
    saves: tuple[Saved, ...] = ()
    view: bool | Callable[..., bool] = False
    infer: Callable[..., Any] | None = None
    dtype: str = ""
    doc: str = ""
    replaces: bool = False
    gradients: Mapping[str, Callable[..., Work]] = attrs.field(factory=dict)
    recomputes: Callable[..., Work] | None = None
    attributes: Mapping[str, Any] = attrs.field(factory=dict)
    preexisting: bool = False
    attention: str = ""
    preserves_layout: bool | str = False
    caches: Callable[..., Dim] | None = None
    caches_next: Callable[..., Dim] | None = None
    stacks: bool = False
    argument: bool = False
    gradient_from_output: bool = False
    known_as: tuple[str, ...] = ()
    more_operands: str = ""
    by_rule: bool = False
    stops_gradient: bool = False
    states_parts: bool = False
    starts_gradient: bool = False
    writes_through: bool = False
    role: str = ""
    pairs: str = ""
    sees: Callable[..., Mask | None] | None = None
    _applications: dict[Any, tuple[Application, Answers]] = attrs.field(factory=dict, init=False, repr=False)
    _plans: dict[Any, Plan] = attrs.field(factory=dict, init=False, repr=False)
    _contracted: tuple[str, ...] = attrs.field(init=False, repr=False)
    _batched: bool = attrs.field(init=False, repr=False)

    def __repr__(self) -> str:
        return f"<Operator {self.name}: {self.signature.text}>"

    def __attrs_post_init__(self) -> None:
        terms = [term for term in self.signature.inputs if term.name in self.contracts]
        dims = dict.fromkeys(dim for term in terms for dim in (*term.front, *term.back))
        object.__setattr__(self, "_contracted", tuple(dims))
        object.__setattr__(self, "_batched", any(term.ellipsis is True for term in terms))
        cached = (self.caches, self.caches_next)
        kept = [item.dims for item in self.saves]
        for function in (self.formula, self.infer, self.view, self.recomputes, self.sees, *cached, *kept):
            if callable(function):
                self._plans[function] = plan(function, self.signature, self.name, pairs=self.pairs)
        for function in self.gradients.values():
            self._plans[function] = plan(function, self.signature, self.name, gradient=True, pairs=self.pairs)

    def apply(self, specs: Sequence[TensorSpec], attributes: Mapping[str, Any]) -> Application:
        """Returns the operator applied to operands of these specs, computed once for equal operands and attributes.

        Where sizes with symbols decided, they are asked again: the conditions are recorded each time, and what is known
        of the symbols elsewhere may decide otherwise, which is computed anew.

        Raises ShapeError when the operands do not fit, OperatorError when an attribute is unknown or missing or the
        formula gives what is no work.
        """
        try:
            key: tuple[Any, ...] = tuple(specs)
            if attributes:  # 4.0 equals 4 and True equals 1, but neither is a size
                values = attributes.values()
                key += (*attributes.items(), *[type(one) if type(one) is not tuple else _types(one) for one in values])
            known = self._applications.get(key)
        except (TypeError, ValueError):  # arrays and lists have no hash
            return self._apply(specs, attributes)
        if known is not None and (not known[1] or same_again(known[1], active())):
            return known[0]
        with noting(active()) as answers:
            made = self._apply(specs, attributes)
        sizes = [size for spec in specs for size in (*spec.shape, *(spec.strides or ()))]
        if any(getattr(size, "is_Integer", False) for size in sizes):
            return made  # a sympy integer equals an int, whose results are ints
        if len(self._applications) >= MOST_REMEMBERED:
            self._applications.clear()
        if not answers and all(type(size) is int for size in sizes) and PLAIN.issuperset(_kinds(attributes.values())):
            made = attrs.evolve(made, saved={})
        self._applications[key] = (made, answers)
        return made

    def _apply(self, specs: Sequence[TensorSpec], attributes: Mapping[str, Any]) -> Application:
        in_place = IN_PLACE in attributes and in_place_asked(attributes, len(specs))
        if attributes or self.attributes:
            self.check_attributes(attributes)
        try:
            dims, batch = self.signature.bind(specs)
        except ShapeError as error:
            if self.more_operands and len(specs) > len(self.signature.inputs):
                raise ShapeError(f"{error}; {self.more_operands}") from error
            raise
        dtype = result_dtype(self.dtype, specs)
        if self.infer is None:
            if self.attributes:
                dims.update(self._sized(dims, attributes))
            outputs = tuple([TensorSpec(shape, dtype) for shape in self.signature.shapes(dims, batch)])
            if self.preserves_layout and self._preserves_layout(specs, attributes):
                outputs = tuple([ordered(output, specs) for output in outputs])
        else:
            outputs = as_specs(self.call(self.infer, dims, batch, specs, (), attributes), dtype)
            check_specs(outputs)
        view = self.view
        if callable(view):
            view = bool(self.call(view, dims, batch, specs, outputs, attributes))
        if in_place:
            outputs = overwritten(specs[0], outputs, view)
        work = self.work(dims, batch, specs, outputs, attributes)
        cost = full_cost(work, specs, outputs, view)
        if in_place:
            cost = attrs.evolve(cost, activation_bytes=0)
        return Application(dims, batch, outputs, view, cost, in_place)

    def work(
        self,
        dims: Mapping[str, Dim],
        batch: tuple[Dim, ...],
        specs: Sequence[TensorSpec],
        outputs: Sequence[TensorSpec],
        attributes: Mapping[str, Any],
    ) -> Work:
        """Returns the formula's work, and 2 FLOPs for each combination of the contracted operands' dimensions.

        Operands that are all integers or bools, and give nothing else, have no floating-point operations: the formula's
        vector FLOPs are then none. A multiply-add of complex numbers is 4 of real ones.
        """
        work = NOTHING
        if self.formula is not None:
            result = self.call(self.formula, dims, batch, specs, outputs, attributes)
            if isinstance(result, Work):
                work = result
            elif result is not None or not self.contracts:
                raise OperatorError(f"its formula returned {result!r}; a formula returns Work(...)")
        if specs and not any(spec.dtype in FLOATING for spec in (*specs, *outputs)):
            work = attrs.evolve(work, vector_flops=0, transcendentals=0)
        if self.contracts:
            flops = self.contraction(dims, batch)
            work = Work(flops) if work is NOTHING else attrs.evolve(work, matmul_flops=work.matmul_flops + flops)
        return self.in_real_numbers(work, specs)

    def masked(self, specs: Sequence[TensorSpec], attributes: Mapping[str, Any], share: Share) -> Application:
        """Returns the operator applied to operands of these specs, of which a part of attention's pairs is counted."""
        whole = self.apply(specs, attributes)
        made = attrs.evolve(whole, share=attrs.evolve(share, stated=bool(self.pairs)))
        if self.pairs:
            made = attrs.evolve(made, dims={**whole.dims, PAIRS: share.pairs})
        work = made.counted(lambda dims: self.work(dims, whole.batch, specs, whole.outputs, attributes))
        figures = {name: getattr(work, name) for name in ("matmul_flops", "vector_flops", "transcendentals")}
        return attrs.evolve(made, cost=attrs.evolve(whole.cost, **figures))

    def seen(self, specs: Sequence[TensorSpec], attributes: Mapping[str, Any]) -> Mask | None:
        """Returns the mask that the operator says it makes or applies; None if it has none."""
        if self.sees is None:
            return None
        made = self.apply(specs, attributes)
        mask = self.call(self.sees, made.dims, made.batch, specs, made.outputs, attributes)
        if mask is not None and not isinstance(mask, Mask):
            raise OperatorError(f"its mask is {mask!r}; sees returns a Mask, or None")
        return mask

    def in_real_numbers(self, work: Work, specs: Sequence[TensorSpec]) -> Work:
        """Returns work on operands of these specs with the multiply-adds of complex numbers as those of real ones."""
        if self.states_parts or not any(spec.dtype in COMPLEX for spec in specs):
            return work
        return attrs.evolve(work, matmul_flops=OF_COMPLEX * work.matmul_flops)

    def contraction(self, dims: Mapping[str, Dim], batch: tuple[Dim, ...]) -> Dim:
        """Returns 2 FLOPs for each combination of the contracted operands' dimensions; shared dimensions count once."""
        return 2 * prod([dims[dim] for dim in self._contracted]) * (prod(batch) if self._batched else 1)

    def call(
        self,
        function: Callable[..., Any],
        dims: Mapping[str, Dim],
        batch: tuple[Dim, ...],
        specs: Sequence[TensorSpec],
        outputs: Sequence[TensorSpec],
        attributes: Mapping[str, Any],
        asked: tuple[int, tuple[bool, ...]] = (0, ()),
    ) -> Any:
        """Calls `function` with the arguments that it asks for by name. `asked` is for a gradient: which operand's it
        is, and whose are wanted."""
        found = self._plans[function]
        values = arguments(found, dims, batch, specs, outputs, asked)
        if not attributes:
            return function(*values)
        return function(*values, **{name: attributes[name] for name in found[1] if name in attributes})

    def check_attributes(self, attributes: Mapping[str, Any]) -> None:
        """Raises OperatorError for an attribute that the operator does not have, or one that it needs and lacks."""
        for name in attributes:
            if name not in self.attributes and name != IN_PLACE:
                raise OperatorError(f"has no attribute {name!r}{suggest(name, self.attributes) or '; it has none'}")
        for name, default in self.attributes.items():
            if default is REQUIRED and name not in attributes:
                raise OperatorError(f"needs the attribute {name!r}")

    def _sized(self, dims: Mapping[str, Dim], attributes: Mapping[str, Any]) -> dict[str, Dim]:
        """Returns the output dimensions that attributes give."""
        return {
            name: check_dim(attributes.get(name, self.attributes[name]), f"attribute {name}")
            for name in self.signature.unbound()
            if name in self.attributes and name not in dims
        }

    def _preserves_layout(self, specs: Sequence[TensorSpec], attributes: Mapping[str, Any]) -> bool:
        if not any(spec.strides is not None for spec in specs):
            return False
        flag = self.preserves_layout
        return bool(attributes.get(flag, self.attributes.get(flag))) if isinstance(flag, str) else flag


def _kinds(values: Iterable[Any]) -> Iterator[type]:
    """Yields the types of values, of those in tuples too."""
    for value in values:
        if type(value) is tuple:
            yield from _kinds(value)
        else:
            yield type(value)


def _types(value: Any) -> Any:
    if type(value) is not tuple:
        return type(value)
    return tuple([_types(item) if type(item) is tuple else type(item) for item in value])

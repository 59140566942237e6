"""The contracts that are checked on whole models: what each inherited test finds, and what it says to do."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import attrs
import pytest

from graphacct import (
    Architecture,
    Builder,
    ConfigError,
    Convention,
    Cost,
    Graph,
    Option,
    Profile,
    Quantity,
    Reader,
    ReadError,
    Transform,
    fields,
    rewrite,
)
from graphacct.testing import (
    ArchitectureContract,
    ConventionContract,
    ProfileContract,
    QuantityContract,
    ReaderContract,
    Totals,
    TransformContract,
)
from graphacct.testing.contract import failures

SMALL = {"n_layer": 2, "n_embd": 32, "n_head": 4, "vocab_size": 64, "n_positions": 64}
ROWS = [Totals("gpt2", {"seq_len": 16, "set": SMALL})]


def net() -> Graph:
    """2 · 4 · 3 · 5 = 120 matmul FLOPs, 20 vector FLOPs, 15 parameters."""
    b = Builder("net")
    x = b.apply("linear", b.input("x", (4, 3)), b.parameter("fc.weight", (5, 3)), name="fc")
    return b.graph(b.apply("relu", x, name="act"))


def only(contract: Any, test: str) -> str:
    """The message of one test that fails."""
    found = dict(failures(contract))
    assert test in found, found
    return found[test]


# conventions


def convention(adjust: Callable[..., Any], **facts: Any) -> Any:
    made = Convention("mine", "What is counted here.", adjust)
    return ConventionContract.of(made, **{"rows": ROWS, "costs_in": "nowhere", **facts})


def test_a_sound_convention() -> None:
    rows = [Totals(net(), flops=120)]
    assert [*failures(convention(lambda n, c, o: attrs.evolve(c, vector_flops=0, transcendentals=0), rows=rows))] == []


def test_totals_that_differ_or_are_not_there() -> None:
    rows = [Totals(net(), flops=140)]
    message = only(convention(lambda n, c, o: attrs.evolve(c, vector_flops=0), rows=rows), "test_rows_state_the_totals")
    assert message == (
        "convention 'mine': flops of net is 120, and the row says 140. One of the two is wrong: work it out by hand, "
        "and mend the plugin or the row."
    )
    rows = [Totals(net(), flop=120)]
    assert "the report of net has no flop. It has: " in only(
        convention(lambda n, c, o: c, rows=rows), "test_rows_state_the_totals"
    )
    assert "no row states a figure" in only(convention(lambda n, c, o: c, costs_in=""), "test_rows_state_the_totals")
    assert "has no rows" in only(convention(lambda n, c, o: c, rows=[]), "test_rows_state_the_totals")


def test_a_convention_that_goes_by_names() -> None:
    """In a graph written out the layers are h.0 and h.1, and not h.*."""
    contract = convention(lambda node, cost, o: Cost() if "*" in node.name else cost)
    assert "with blocks and" in only(contract, "test_blocks_cost_what_they_cost_written_out")


def test_a_convention_for_ints_alone() -> None:
    contract = convention(
        lambda node, cost, o: Cost(matmul_flops=cost.matmul_flops if type(cost.matmul_flops) is int else 0)
    )
    assert "with symbols as sizes. Formulas write" in only(contract, "test_symbols_agree_with_ints")


def test_a_convention_that_falls_and_one_that_returns_nothing() -> None:
    contract = convention(lambda node, cost, o: Cost(matmul_flops=2**60 - 2 * cost.matmul_flops))
    assert "falls from" in only(contract, "test_counts_never_fall_when_the_batch_grows")
    assert "which is no Cost" in only(convention(lambda node, cost, o: None), "test_it_counts_every_node")


# quantities


def quantity(of_node: Callable[..., Any], doc: str = "Nodes that write.", unit: str = "node", **facts: Any) -> Any:
    made = Quantity("mine", unit, of_node, doc, **facts)
    return QuantityContract.of(made, rows=[Totals(net(), mine=2)], costs_in="nowhere")


def test_a_sound_quantity() -> None:
    assert [*failures(quantity(lambda record: 1))] == []


def test_a_quantity_without_words_or_unit() -> None:
    assert "it has no doc" in only(quantity(lambda record: 1, doc=""), "test_it_says_what_it_is")
    assert "its doc is 'Nodes.'" in only(quantity(lambda record: 1, doc="Nodes."), "test_it_says_what_it_is")
    assert "it has no unit" in only(quantity(lambda record: 1, unit=""), "test_it_says_what_it_is")


def test_a_quantity_that_is_no_count() -> None:
    assert "is -2. Return an int" in only(quantity(lambda record: -1), "test_its_figures_are_counts").replace(
        "it is", "is"
    )


# transforms


def transform(apply: Callable[..., Any], **facts: Any) -> Any:
    made = Transform("mine", "What it does.", apply, facts.pop("options", ()))
    return TransformContract.of(made, **{"rows": ROWS, "costs_in": "nowhere", **facts})


def unchanged(graph: Graph, operators: Any) -> Graph:
    return rewrite(graph, operators, lambda node, place: place.keep())


def test_a_sound_transform() -> None:
    assert [*failures(transform(unchanged, rows=[Totals(net(), flops=140), *ROWS]))] == []


def test_a_transform_that_knows_no_blocks() -> None:
    """It doubles nodes outside blocks alone, which are other nodes when the graph is written out."""

    def doubled(graph: Graph, operators: Any) -> Graph:
        return rewrite(
            graph,
            operators,
            lambda node, place: (
                place.keep()
                if "*" in node.name or "linear" not in node.operator
                else place.apply("neg", place.keep(), name=f"{node.name}.neg")
            ),
        )

    assert "with blocks and" in only(transform(doubled), "test_blocks_cost_what_they_cost_written_out")


def test_a_transform_without_a_cost() -> None:
    def strange(graph: Graph, operators: Any) -> Graph:
        nodes = [attrs.evolve(n, operator="mine") if getattr(n, "operator", "") == "relu" else n for n in graph.nodes]
        return attrs.evolve(graph, nodes=tuple(nodes))

    message = only(transform(strange, rows=[Totals(net())]), "test_every_node_has_a_cost_afterwards")
    assert message.endswith("'act' is not. Register the operator of that node: docs/writing-a-plugin.md.")


def test_a_transform_that_changes_its_input() -> None:
    def broken(graph: Graph, operators: Any) -> Graph:
        graph.workload[f"key {next(NUMBERS)}"] = 1  # type: ignore[index]
        return graph

    assert "it changes the graph of net" in only(
        transform(broken, rows=[Totals(net())]), "test_it_leaves_its_input_as_it_is"
    )


NUMBERS = itertools.count()


def test_options_of_a_transform() -> None:
    options = (Option("much", int, 1, "much"),)
    contract = transform(lambda graph, operators, much: graph, options=options, rows=[Totals(net())])
    assert "option 'much' says 'much'" in only(contract, "test_it_says_what_it_is")


# profiles


def test_a_profile_with_a_misspelt_rule() -> None:
    made = Profile("mine", "All as declared.", expand={"sofmax": lambda *a: None})  # type: ignore[dict-item]
    contract = ProfileContract.of(made, rows=ROWS, costs_in="nowhere")
    assert only(contract, "test_it_names_operators_that_exist") == (
        "profile 'mine': expand has a rule for 'sofmax', which is no operator. Mend the name, or register it."
    )
    sound = ProfileContract.of(Profile("mine", "All as declared."), rows=ROWS, costs_in="nowhere")
    assert [*failures(sound)] == []


# readers


def read(path: Any, operators: Any) -> Graph:
    with open(path, "rb") as file:
        if file.read() != b"net":
            raise ReadError(f"{path}: is no net")
    return net()


def reader(accepts: Callable[..., Any], read: Callable[..., Any] = read) -> Any:
    made = Reader("mine", "A net of its own.", accepts, read)
    rows = [Totals("a.net", flops=140)]
    return ReaderContract.of(made, rows=rows, files={"a.net": "net"})


def accepts(model: Any) -> bool:
    return isinstance(model, str) and model.endswith(".net")


def test_a_sound_reader() -> None:
    assert [*failures(reader(accepts))] == []


def test_a_reader_that_accepts_too_much_or_fails_on_strangers() -> None:
    name = "test_it_accepts_its_own_and_nothing_else"
    assert "accepts(None) raises AttributeError" in only(reader(lambda model: model.endswith(".net")), name)
    assert "accepts(0) returns True" in only(reader(lambda model: model is not None), name)
    assert "it does not accept a.net" in only(reader(lambda model: False), name)
    assert "accepts(None) returns None" in only(reader(lambda model: accepts(model) or None), name)


def test_a_reader_of_damaged_files() -> None:
    name = "test_a_damaged_file_is_an_error_that_names_it"

    def careless(path: Any, operators: Any) -> Graph:
        assert open(path, "rb").read() == b"net"  # noqa: SIM115
        return net()

    def silent(path: Any, operators: Any) -> Graph:
        if open(path, "rb").read() != b"net":  # noqa: SIM115
            raise ReadError("is no net")
        return net()

    message = only(reader(accepts, careless), name)
    assert "failed: AssertionError" in message
    assert message.endswith("Of a.net with b'', raise graphacct.ReadError, which says the fault.")
    assert "it says 'is no net'. The error must name the file." in only(reader(accepts, silent), name)


# architectures


@attrs.frozen
class Config:
    width: int = fields.size(8)


@attrs.frozen
class Careless:
    width: int = attrs.field(default=8, metadata={"size": True})


def halves(value: Any, field: Any) -> Any:
    """Takes names and returns what it does not take."""
    if any(type(item) is not str for item in value):
        raise ConfigError(f"{field.name} has {value[0]}")
    return tuple(item == "wide" for item in value)


def build(config: Any, workload: Any, b: Builder) -> Any:
    x = b.input("x", (workload.batch, workload.seq_len, config.width))
    return b.apply("linear", x, b.parameter("fc.weight", (config.width, config.width)), name="fc")


def architecture(build: Callable[..., Any] = build, config: Any = Config, **facts: Any) -> Any:
    told = {"sizes": {"seq_len": lambda config: 4}, "doc": "One product and no more.", **facts}
    made = Architecture("mine", config, build, {"mine-small": config()}, **told)
    rows = [Totals("mine-small", {"seq_len": 4}, params=64, matmul_flops=2 * 4 * 64)]
    return ArchitectureContract.of(made, rows=rows)


def test_a_sound_architecture() -> None:
    assert [*failures(architecture())] == []


def test_an_architecture_whose_parameters_follow_the_workload() -> None:
    def broken(config: Any, workload: Any, b: Builder) -> Any:
        positions = b.parameter("positions", (workload.seq_len, config.width))
        return b.apply("add", build(config, workload, b), positions)

    message = only(architecture(broken), "test_parameters_do_not_depend_on_the_workload")
    assert (
        "has 96 parameters, and 88 with batch=2, seq_len=3. Parameters have sizes of the configuration alone" in message
    )


def test_an_architecture_that_takes_any_value() -> None:
    message = only(architecture(config=Careless), "test_a_bad_value_is_an_error_that_names_the_key")
    assert "Declare it with graphacct.fields: width: int = fields.size(…)." in message


def test_an_architecture_whose_configuration_cannot_be_changed() -> None:
    @attrs.frozen
    class Halved:
        width: int = fields.size(8)
        kinds: tuple[bool, ...] = fields.checked_field(halves, ("wide",))

    message = only(architecture(config=Halved), "test_a_configuration_can_be_changed")
    assert (
        "mine-small, seq_len=4 made again raises 'kinds has True'. A field takes the value that it returned." in message
    )


def test_an_architecture_whose_loss_reaches_nothing() -> None:
    def constant(config: Any, outputs: Any, b: Builder) -> Any:
        return b.apply("mean", b.input("y", (3,)), name="loss")

    contract = architecture(losses={"constant": constant})
    assert dict(failures(contract)).keys() == {"test_a_training_step_has_every_gradient"}


@pytest.mark.parametrize("contract", [ArchitectureContract, ConventionContract, QuantityContract, ProfileContract])
def test_a_contract_of_nothing(contract: Any) -> None:
    with pytest.raises(AssertionError, match=f"names no {contract.noun}: write `{contract.noun} = …` into the class"):
        contract.thing()

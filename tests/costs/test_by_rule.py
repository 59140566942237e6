"""What a rule costs is named in the coverage, in every output. What only moves has no FLOPs to be estimated."""

import graphacct


def graph(times: int = 2) -> graphacct.Graph:
    builder = graphacct.Builder("odd")
    x = builder.input("x", (3, 4))
    for index in range(times):
        x = builder.apply("pointwise_by_rule", x, name=f"f{index}", of="aten.digamma", shape=(3, 4), factor=index + 1)
    x = builder.apply("pointwise_by_rule", x, name="logit", of="aten.logit", shape=(3, 4), factor=3)
    x = builder.apply("move_by_rule", x, name="moved", of="aten.rot90", shape=(4, 3))
    return builder.graph(builder.apply("relu", x, name="relu"))


def test_the_coverage_counts_and_names_it() -> None:
    report = graphacct.account(graph())
    assert report.coverage.by_rule == (("aten.digamma", 2), ("aten.logit", 1))
    assert report.coverage.estimated == "2 of aten.digamma, 1 of aten.logit"
    assert report.total["flops"] == 12 + 24 + 36 + 12
    assert "5 of 5 nodes costed; costed by rule: 2 of aten.digamma, 1 of aten.logit" in str(report)


def test_json_lists_it_only_where_there_is_any() -> None:
    by_rule = [{"of": "aten.digamma", "times": 2}, {"of": "aten.logit", "times": 1}]
    assert graphacct.account(graph()).to_dict()["coverage"]["by_rule"] == by_rule
    assert "by_rule" not in graphacct.account("gpt2").to_dict()["coverage"]


def test_repetitions_count() -> None:
    builder = graphacct.Builder("odd")
    x = builder.input("x", (3, 4))
    body = lambda b, x: b.apply("pointwise_by_rule", x, name="f", of="aten.digamma", shape=(3, 4))  # noqa: E731
    report = graphacct.account(builder.graph(builder.repeat("layers", 5, body, x)))
    assert report.coverage.by_rule == (("aten.digamma", 5),)

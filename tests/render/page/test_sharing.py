"""What the parts of a page share is written once, and nothing of it is lost."""

from __future__ import annotations

from graphacct.render.page.sharing import shared

NODE = {"kind": "input", "name": "x", "path": "x", "in": 0}
SCOPE = {"name": "blocks", "path": "blocks", "in": 0, "parts": [3, 4]}


def layer(name: str, source: str) -> dict:
    """A layer of the scope, which reads a value."""
    return {
        "name": name,
        "path": f"blocks.{name}",
        "in": 2,
        "figures": [5, 6],
        "operator": "linear",
        "operands": [["x", source, "float32", [1]], ["weight", f"blocks.{name}.weight", "float32", [1, 1]]],
        "gives": [["", f"blocks.{name}", "float32", [1]]],
        "work": [["optimizer", "vector_flops", f"blocks.{name}.weight", 7, 8], ["weight_grad", "", "weight", 7, 8]],
        "kept": [["x", source, "the gradient needs it", "", 9]],
        "explained": 0,
    }


def test_nodes_of_a_kind_differ_by_their_names_alone() -> None:
    """Two layers are one kind; each has its name, and where its values come from, as numbers of parts."""
    root = {"name": "model", "path": "", "in": 0, "parts": [1, 2]}
    parts = [root, NODE, SCOPE, layer("a", "x"), layer("b", "blocks.a:0")]
    found = shared(parts, [{"formulas": {"flops": ["n"]}, "names": {"n": 4}}])
    assert found["parts"] == [
        root,
        {"kind": "input", "name": "x", "in": 0},
        {"name": "blocks", "in": 0, "parts": [3, 4]},
        {"name": "a", "in": 2, "of": 0, "from": [1, 1]},
        {"name": "b", "in": 2, "of": 0, "from": [[3, ":0"], [3, ":0"]]},
    ]
    (kind,) = found["kinds"]
    assert kind["operands"] == [["x", None, "float32", [1]], ["weight", ".weight", "float32", [1, 1]]]
    assert kind["gives"] == [["", "", "float32", [1]]]
    assert kind["work"] == [["optimizer", "vector_flops", [".weight"], 7, 8], ["weight_grad", "", "weight", 7, 8]]
    assert kind["kept"] == [["x", None, "the gradient needs it", 0, 9]]
    assert (kind["formulas"], kind["names"]) == (0, {"n": 4})
    assert found["formulas"] == [{"flops": ["n"]}]


def test_names_that_no_rule_makes_are_there_as_they_are() -> None:
    """A part whose path is not its scope's with its name, and a value that no part gives."""
    root = {"name": "model", "path": "", "in": 0, "parts": [1]}
    odd = {"name": "a", "path": "b.a", "in": 0, "figures": [], "operator": "relu", "operands": [["x", ".y:", "f", []]]}
    found = shared([root, odd], [])
    assert found["parts"][1] == {"name": "a", "path": "b.a", "in": 0, "of": 0, "from": [".y:"]}

"""Whatever stands in a graph's file, it is read or refused: no other exception, no hang."""

import copy
import json

from draws import examples
from hypothesis import given
from hypothesis import strategies as st

import graphacct
from graphacct import GraphacctError
from graphacct.hooks.manager import default
from graphacct.readers.graph_json import from_dict, to_dict

GPT2 = to_dict(graphacct.build("gpt2", seq_len=4, set={"n_layer": 2}))

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.sampled_from([2**63 - 1, 2**63, 10**60, -(10**60)])
    | st.floats(allow_nan=False)
    | st.sampled_from(["", "*", ":", "x:0", "transformer.wte", "linear", "float32", "a\x00b", "<b>", "9" * 50])
)
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner))


def places(content, path=()):
    """The path to every value inside nested lists and dictionaries."""
    yield path
    items = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in items:
        yield from places(value, (*path, key))


PLACES = [path for path in places(GPT2) if path]


@examples(150)
@given(st.lists(st.tuples(st.sampled_from(PLACES), values | st.just("delete")), min_size=1, max_size=3))
def test_a_damaged_file_is_read_or_refused(damage):
    """One to three values of a real graph's file are replaced or taken away: the result is a report or a one-line
    GraphacctError, whether unknown operators are errors or left out."""
    content = copy.deepcopy(GPT2)
    for path, value in damage:
        spot = content
        try:
            for key in path[:-1]:
                spot = spot[key]
            if value == "delete":
                del spot[path[-1]]
            else:
                spot[path[-1]] = value
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took the place away
    json.dumps(content)
    for unknown in ("error", "report"):
        message = outcome(content, unknown)
        assert len(message) < 2000
        assert message.count("\n") <= 1


def outcome(content, unknown):
    """The error's message, or nothing for a graph that was accounted for in whole numbers."""
    try:
        report = graphacct.account(from_dict(content, "", default().operators), unknown=unknown)
    except GraphacctError as error:
        return str(error)
    assert all(isinstance(value, int) for value in report.total.values())
    assert len(report.by_scope) >= 1 or not report.annotated.costs
    return ""

"""The JSON contract (docs/json.md): a report as plain values, and as text.

It imports nothing that tables need, so a whole `graphacct report --format json` costs less than importing networkx.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from json import JSONEncoder
from typing import TYPE_CHECKING, Any

from graphacct.decisions import condition_text
from graphacct.graph.config_keys import NO_KEYS
from graphacct.phases import GENERATE
from graphacct.render.records import plain_value, quantities, ratios_among, ratios_of, records

if TYPE_CHECKING:
    from graphacct.costs.coverage import Coverage
    from graphacct.graph.config_keys import ConfigKeys
    from graphacct.reports.report import Report

SCHEMA = "graphacct.report/1"
_text = JSONEncoder(allow_nan=False, check_circular=False).encode


def to_dict(report: Report, ratios: Sequence[str] = ()) -> dict[str, Any]:
    """Returns the report as plain Python values, in the contract's shape and order, with the named `ratios`."""
    return {
        "schema": SCHEMA,
        **heading(report),
        "total": quantities(report.total) | ratios_of(report, report.total, ratios),
        **_generation(report),
        "by_scope": records(report, "scope", ratios),
        "by_operator": records(report, "operator", ratios),
        "by_parameter": records(report, "parameter"),
    }


def _generation(report: Report) -> dict[str, Any]:
    """Returns what the report of a generation has besides: per new token, of its two parts, and the cache at the
    end."""
    if report.workload.get("phase") != GENERATE:
        return {}
    from graphacct.reports.generation import GenerationReport

    assert isinstance(report, GenerationReport)
    parts = {name: quantities(getattr(report, name)) for name in ("per_token", "prefill", "decode")}
    return parts | {"kv_cache_bytes": report.total.get("kv_cache_bytes")}


def heading(report: Report) -> dict[str, Any]:
    """Returns the heading of every output: the model, the convention, the coverage and the workload."""
    return {
        "model": report.model,
        "convention": report.convention,
        "mask": report.mask,
        "coverage": coverage(report.coverage),
        "workload": {name: plain_value(value, name) for name, value in report.workload.items()},
        **config_keys(report.config_keys),
        **inexact(report.inexact),
        **conditions(report.conditions),
    }


def conditions(found: Sequence[Any]) -> dict[str, Any]:
    """Returns what the figures assume of symbols, as texts; nothing where they assume nothing."""
    return {"conditions": list(map(condition_text, found))} if found else {}


def config_keys(keys: ConfigKeys | None) -> dict[str, Any]:
    """Returns what became of the keys of a model's config.json: none are left of a model without one."""
    keys = keys or NO_KEYS
    found: dict[str, Any] = {"not_understood": [*keys.not_understood], "no_cost": [*keys.no_cost]}
    said = {"read_as": keys.read_as, "sizes": keys.sizes, "defaults": keys.defaults}
    sentences = {name: sentence for name, sentence in said.items() if sentence}
    return {"config_keys": found | ({"left_out": [*keys.left_out]} if keys.left_out else {}) | sentences}


def inexact(sentences: Sequence[str]) -> dict[str, Any]:
    """Returns what of a step's saved tensors is known not to equal the model's own code; nothing if it is equal."""
    return {"inexact": [*sentences]} if sentences else {}


def coverage(value: Coverage) -> dict[str, Any]:
    """Returns the coverage: how many nodes have a cost, of how many, and which have none; and what is costed by rule,
    if anything is."""
    uncosted = [{"name": name, "operator": operator} for name, operator in value.uncosted]
    found: dict[str, Any] = {"costed": value.costed, "total": value.total, "uncosted": uncosted}
    by_rule = [{"of": what, "times": plain_value(times, what)} for what, times in value.by_rule]
    return found | ({"by_rule": by_rule} if by_rule else {})


def json(report: Report, columns: Sequence[str] | None = None) -> str:
    """Returns the contract as text, one row per line: every quantity, and the ratios among the `columns`."""
    return to_json(to_dict(report, ratios_among(report, columns)))


def to_json(values: Mapping[str, Any]) -> str:
    """Returns a dictionary as ASCII JSON without NaN, with each key and each row of a list on its own line."""
    lines = [f"  {_text(key)}: {_lines(value)}" for key, value in values.items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _lines(value: Any) -> str:
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return "[\n    " + ",\n    ".join(list(map(_text, value))) + "\n  ]"
    return _text(value)

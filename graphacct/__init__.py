"""graphacct: a ledger for the cost of a model.

Everything a user or a plugin needs is here; the modules behind it are where the documentation of each thing stands.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from graphacct.api import account, compare, draw, explain, load, save
from graphacct.costs.annotate import AnnotatedGraph, NodeCost, annotate
from graphacct.costs.conventions import Convention
from graphacct.costs.quantities import Quantity
from graphacct.dims import Dim, ceil_div, exact_div, floor_div, maximum, minimum, prod, same, some_below
from graphacct.errors import ConfigError, GraphacctError, GraphError, OperatorError, ReadError, ShapeError, brief
from graphacct.execution.profiles import Profile
from graphacct.graph.builder import Builder
from graphacct.graph.graph import Block, Graph, Node, Parameter, Value
from graphacct.hooks.hookspecs import hookimpl
from graphacct.layout import dense_like
from graphacct.models.architecture import Architecture, Workload
from graphacct.models.build import build
from graphacct.models.reader import Reader
from graphacct.operators.cost import Cost, Work
from graphacct.operators.decorator import operator
from graphacct.operators.operator import Operator, Saved
from graphacct.reports.report import Report
from graphacct.reports.rollup import rollup
from graphacct.tensors import FLOATING, TensorSpec

if TYPE_CHECKING:
    from graphacct.dims import text as dim_text
    from graphacct.display import Output
    from graphacct.training.optimizers import Optimizer
    from graphacct.training.recompute import RecomputePolicy
    from graphacct.transforms.node_names import NodeNames
    from graphacct.transforms.rewrite import Place, rewrite
    from graphacct.transforms.transform import Option, Transform

__version__ = "0.1.0"
_LATER = {
    "NodeNames": "graphacct.transforms.node_names:NodeNames",
    "Optimizer": "graphacct.training.optimizers:Optimizer",
    "RecomputePolicy": "graphacct.training.recompute:RecomputePolicy",
    "Option": "graphacct.transforms.transform:Option",
    "Output": "graphacct.display:Output",
    "Place": "graphacct.transforms.rewrite:Place",
    "Transform": "graphacct.transforms.transform:Transform",
    "dim_text": "graphacct.dims:text",
    "rewrite": "graphacct.transforms.rewrite:rewrite",
}
"""What a plain report does not need, imported when it is asked for."""


def __getattr__(name: str) -> Any:
    module, _, attribute = _LATER.get(name, "").partition(":")
    if not module:
        raise AttributeError(f"module 'graphacct' has no attribute {name!r}")
    return getattr(import_module(module), attribute)


__all__ = [
    "FLOATING",
    "AnnotatedGraph",
    "Architecture",
    "Block",
    "Builder",
    "ConfigError",
    "Convention",
    "Cost",
    "Dim",
    "Graph",
    "GraphError",
    "GraphacctError",
    "Node",
    "NodeCost",
    "NodeNames",
    "Operator",
    "OperatorError",
    "Optimizer",
    "Option",
    "Output",
    "Parameter",
    "Place",
    "Profile",
    "Quantity",
    "ReadError",
    "Reader",
    "RecomputePolicy",
    "Report",
    "Saved",
    "ShapeError",
    "TensorSpec",
    "Transform",
    "Value",
    "Work",
    "Workload",
    "account",
    "annotate",
    "brief",
    "build",
    "ceil_div",
    "compare",
    "dense_like",
    "dim_text",
    "draw",
    "exact_div",
    "explain",
    "floor_div",
    "hookimpl",
    "load",
    "maximum",
    "minimum",
    "operator",
    "prod",
    "rewrite",
    "rollup",
    "same",
    "save",
    "some_below",
]

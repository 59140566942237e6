"""graphacct: a ledger for the cost of a model.

Everything a user or a plugin needs is here; the modules behind it are where the documentation of each thing stands.
"""

from graphacct.api import account, compare, draw, explain, load, save
from graphacct.costs.analyses import Analysis
from graphacct.costs.annotate import AnnotatedGraph, NodeCost, annotate
from graphacct.costs.conventions import Convention
from graphacct.costs.quantities import Quantity
from graphacct.dims import Dim, ceil_div, exact_div, floor_div, maximum, minimum, prod, same
from graphacct.errors import ConfigError, GraphacctError, GraphError, OperatorError, ShapeError
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
from graphacct.tensors import TensorSpec

__version__ = "0.1.0"

__all__ = [
    "Analysis",
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
    "Operator",
    "OperatorError",
    "Parameter",
    "Profile",
    "Quantity",
    "Reader",
    "Report",
    "Saved",
    "ShapeError",
    "TensorSpec",
    "Value",
    "Work",
    "Workload",
    "account",
    "annotate",
    "build",
    "ceil_div",
    "compare",
    "dense_like",
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
    "rollup",
    "same",
    "save",
]

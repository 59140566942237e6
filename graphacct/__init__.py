"""graphacct: a ledger for the cost of a model.

Everything a user or a plugin needs is here; the modules behind it are where the documentation of each thing stands.
"""

from graphacct import config as fields
from graphacct.account import account
from graphacct.annotate import AnnotatedGraph, NodeCost, annotate
from graphacct.architecture import Architecture, Workload
from graphacct.build import build
from graphacct.builder import Builder
from graphacct.conventions import Convention
from graphacct.costs import Cost, Work
from graphacct.decorator import operator
from graphacct.dims import Dim, ceil_div, check_dim, differ, exact_div, floor_div, maximum, minimum, prod, same
from graphacct.errors import ConfigError, GraphacctError, GraphError, OperatorError, ShapeError, brief, suggest
from graphacct.graph import Block, Graph, Node, Parameter, Value
from graphacct.hookspecs import hookimpl
from graphacct.layout import dense_like
from graphacct.lazy_architecture import LazyArchitecture
from graphacct.operators import Operator, Saved
from graphacct.profiles import Profile
from graphacct.quantities import Quantity
from graphacct.readers import Reader
from graphacct.report import Report
from graphacct.rollup import rollup
from graphacct.tensors import TensorSpec
from graphacct.verbs import compare, draw, explain, load, save

__version__ = "0.1.0"

__all__ = [
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
    "LazyArchitecture",
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
    "brief",
    "build",
    "ceil_div",
    "check_dim",
    "compare",
    "dense_like",
    "differ",
    "draw",
    "exact_div",
    "explain",
    "fields",
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
    "suggest",
]

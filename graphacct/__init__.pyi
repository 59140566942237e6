from typing import Final

from graphacct.api import account as account
from graphacct.api import build as build
from graphacct.api import compare as compare
from graphacct.api import draw as draw
from graphacct.api import explain as explain
from graphacct.api import load as load
from graphacct.api import memory as memory
from graphacct.api import params as params
from graphacct.api import save as save
from graphacct.api import verify as verify
from graphacct.costs.annotate import AnnotatedGraph as AnnotatedGraph
from graphacct.costs.annotate import NodeCost as NodeCost
from graphacct.costs.annotate import annotate as annotate
from graphacct.costs.conventions import Convention as Convention
from graphacct.costs.quantities import Quantity as Quantity
from graphacct.dims import Dim as Dim
from graphacct.dims import ceil_div as ceil_div
from graphacct.dims import exact_div as exact_div
from graphacct.dims import floor_div as floor_div
from graphacct.dims import maximum as maximum
from graphacct.dims import minimum as minimum
from graphacct.dims import prod as prod
from graphacct.dims import same as same
from graphacct.errors import ConfigError as ConfigError
from graphacct.errors import GraphacctError as GraphacctError
from graphacct.errors import GraphError as GraphError
from graphacct.errors import OperatorError as OperatorError
from graphacct.errors import ShapeError as ShapeError
from graphacct.execution.profiles import Profile as Profile
from graphacct.graph.builder import Builder as Builder
from graphacct.graph.graph import Block as Block
from graphacct.graph.graph import Graph as Graph
from graphacct.graph.graph import Node as Node
from graphacct.graph.graph import Parameter as Parameter
from graphacct.graph.graph import Value as Value
from graphacct.hooks.hookspecs import hookimpl as hookimpl
from graphacct.layout import dense_like as dense_like
from graphacct.models.architecture import Architecture as Architecture
from graphacct.models.architecture import Workload as Workload
from graphacct.models.reader import Reader as Reader
from graphacct.operators.cost import Cost as Cost
from graphacct.operators.cost import Work as Work
from graphacct.operators.decorator import operator as operator
from graphacct.operators.operator import Operator as Operator
from graphacct.operators.operator import Saved as Saved
from graphacct.reports.report import Report as Report
from graphacct.reports.rollup import rollup as rollup
from graphacct.tensors import TensorSpec as TensorSpec

__version__: Final[str]
NAMES: Final[dict[str, str]]

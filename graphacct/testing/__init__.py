"""The kit for plugin authors: subclass a contract, name your thing, inherit its tests.

    from graphacct.testing import OperatorContract, Row

    class TestSquaredRelu(OperatorContract):
        operator = squared_relu
        rows = (Row([(2, 3)], vector_flops=2 * 6), Row([(4, 5, 7)], vector_flops=2 * 140))

The tests need pytest no more than `graphacct plugins check` does. A name is imported on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from graphacct.testing.analyses import AnalysisContract as AnalysisContract
    from graphacct.testing.architectures import ArchitectureContract as ArchitectureContract
    from graphacct.testing.commands import CommandContract as CommandContract
    from graphacct.testing.contract import Contract as Contract
    from graphacct.testing.conventions import ConventionContract as ConventionContract
    from graphacct.testing.devices import DeviceContract as DeviceContract
    from graphacct.testing.node_hooks import NodeHooksContract as NodeHooksContract
    from graphacct.testing.operators import OperatorContract as OperatorContract
    from graphacct.testing.optimizers import OptimizerContract as OptimizerContract
    from graphacct.testing.optimizers import Update as Update
    from graphacct.testing.outputs import OutputContract as OutputContract
    from graphacct.testing.profiles import ProfileContract as ProfileContract
    from graphacct.testing.quantities import QuantityContract as QuantityContract
    from graphacct.testing.readers import ReaderContract as ReaderContract
    from graphacct.testing.recompute_policies import RecomputePolicyContract as RecomputePolicyContract
    from graphacct.testing.reference import Reference as Reference
    from graphacct.testing.rows import Row as Row
    from graphacct.testing.totals import Totals as Totals
    from graphacct.testing.transforms import TransformContract as TransformContract
    from graphacct.testing.translations import TranslationContract as TranslationContract
    from graphacct.testing.weight_formats import Matrix as Matrix
    from graphacct.testing.weight_formats import WeightFormatContract as WeightFormatContract

NAMES = {
    "AnalysisContract": "analyses",
    "ArchitectureContract": "architectures",
    "CommandContract": "commands",
    "Contract": "contract",
    "ConventionContract": "conventions",
    "DeviceContract": "devices",
    "TranslationContract": "translations",
    "Matrix": "weight_formats",
    "NodeHooksContract": "node_hooks",
    "OperatorContract": "operators",
    "OptimizerContract": "optimizers",
    "OutputContract": "outputs",
    "ProfileContract": "profiles",
    "QuantityContract": "quantities",
    "ReaderContract": "readers",
    "RecomputePolicyContract": "recompute_policies",
    "Reference": "reference",
    "Row": "rows",
    "Totals": "totals",
    "TransformContract": "transforms",
    "Update": "optimizers",
    "WeightFormatContract": "weight_formats",
}
"""The names of the kit, by the file that each is defined in."""

__all__ = [*NAMES]


def __getattr__(name: str) -> Any:
    if name not in NAMES:
        raise AttributeError(f"module 'graphacct.testing' has no attribute {name!r}")
    value = getattr(import_module(f"graphacct.testing.{NAMES[name]}"), name)
    globals()[name] = value
    return value

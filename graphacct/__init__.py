"""graphacct: a ledger for the cost of a model.

Everything that a user or a plugin needs is here. The modules that define the names document them.
A name is imported on first use, so that `import graphacct` loads nothing else. Type checkers read the same names in
`__init__.pyi`.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"
NAMES = {
    "checkpoints.class_measurement": "ClassMeasurement",
    "classes": "frozen",
    "costs.analyses": "Analysis",
    "costs.annotate": "AnnotatedGraph NodeCost annotate",
    "costs.conventions": "Convention",
    "costs.counted_node": "CountedNode",
    "costs.quantities": "Quantity",
    "decisions": "divides equal equal_shape less",
    "devices.device": "Device",
    "dims": "Dim ceil_div check_dim differ dim_text exact_div floor_div has_value maximum minimum prod same some_below",
    "display": "Output",
    "errors": "ConfigError DeclinedError GraphError GraphacctError OperatorError ReadError ShapeError brief suggest",
    "execution.kernels": "Tensor",
    "execution.profiles": "KernelNames Profile",
    "execution.recorder": "Expansion Recorder",
    "execution.recording": "RecordedCall RecordedSave RecordedStorage Recording",
    "graph.builder": "Builder",
    "graph.evolve": "evolve",
    "graph.graph": "Block Graph Node Parameter Value",
    "graph.origin": "Origin",
    "graph.rerun": "Rerun",
    "graph.weight_format": "StoredTensor StoredWeight WeightFormat",
    "hooks.hookspecs": "hookimpl",
    "layout": "dense_like",
    "models": "fields",
    "models.architecture": "Architecture",
    "models.lazy_architecture": "LazyArchitecture",
    "models.preset_files": "PresetFiles",
    "models.reader": "Reader",
    "models.translation": "Translation",
    "models.weight_formats": "WeightFormatKind",
    "models.weight_plan": "WeightPlan",
    "models.sub_model": "SubModel published_keys",
    "models.workload": "Workload",
    "operators.cost": "Cost Work",
    "operators.decorator": "operator",
    "operators.lazy_operator": "LazyOperator",
    "operators.mask": "Mask",
    "operators.operator": "Operator",
    "operators.saved": "Saved",
    "readers.weight_keys": "stated_weights",
    "reports.report": "Report",
    "reports.rollup": "rollup",
    "tensors": "FLOATING TensorSpec",
    "training.optimizers": "Optimizer",
    "training.recompute": "RecomputePolicy",
    "transforms.node_names": "NodeNames",
    "transforms.rewrite": "Replacement extended rewrite",
    "transforms.transform": "Option Transform",
    "verbs.account": "account",
    "verbs.build": "build",
    "verbs.compare": "compare",
    "verbs.diff": "diff",
    "verbs.draw": "draw",
    "verbs.explain": "explain",
    "verbs.files": "load save",
    "verbs.fits": "fits",
    "verbs.formula": "formula",
    "verbs.list_models": "list_models",
    "verbs.load_plugins": "load_plugins",
    "verbs.memory": "memory",
    "verbs.page": "page",
    "verbs.params": "params",
    "verbs.reconcile": "reconcile",
    "verbs.solve": "solve",
    "verbs.sweep": "sweep",
    "verbs.verify": "verify verify_class",
}
"""The names that graphacct exports, by the module that each is defined in."""
_MODULES = {name: module for module, names in NAMES.items() for name in names.split()}

__all__ = [*_MODULES]


def __getattr__(name: str) -> Any:
    module = _MODULES.get(name)
    if module is None:
        raise AttributeError(f"module 'graphacct' has no attribute {name!r}")
    path = f"graphacct.{module}"
    value = import_module(f"{path}.fields") if name == "fields" else getattr(import_module(path), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*globals(), *_MODULES]

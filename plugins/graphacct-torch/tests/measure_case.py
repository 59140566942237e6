"""Measures a case on a real run of torch on a CPU, without graphacct: `python measure_case.py FOLDER...`

Each folder has a `model.py`; its `truth.json` is written beside it. The loss is the sum of all float outputs that carry
a gradient, in a step that starts without gradients.

FLOPs: what torch's own counter has a formula for, by that; by those below what it is blind to, which are written from
the operators' definitions. Saved bytes: each storage once that `saved_tensors_hooks` is handed, by what it holds.
Peaks: bytes of storages that the run made and that are alive after an operator; parameters, buffers and inputs left
out.
"""

from __future__ import annotations

import contextlib
import gc
import importlib.util
import json
import math
import sys
from pathlib import Path
from typing import Any

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode, flop_registry

aten = torch.ops.aten


def made(path: Path) -> tuple[Any, Any, Any]:
    """A case's module and inputs, with data: every parameter that has none yet is drawn."""
    spec = importlib.util.spec_from_file_location(f"case_{path.name}", path / "model.py")
    assert spec is not None
    assert spec.loader is not None
    code = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(code)
    torch.manual_seed(0)
    module, args, kwargs = code.factory()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_(0, 0.1)
    return module, args, kwargs


def tensors(tree: Any) -> list[torch.Tensor]:
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, torch.Tensor)]


def flat(returned: Any) -> Any:
    """Dataclasses as dictionaries."""
    return vars(returned) if hasattr(returned, "__dataclass_fields__") else returned


def loss_of(returned: Any) -> torch.Tensor:
    carrying = [t for t in tensors(flat(returned)) if t.requires_grad and t.is_floating_point()]
    total = sum(tensor.float().sum() for tensor in carrying)
    assert isinstance(total, torch.Tensor)
    return total


def numel(tensor: torch.Tensor) -> int:
    return math.prod(tensor.shape)


def attention(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> int:
    return 2 * numel(query) * key.shape[-2] + 2 * numel(query) // query.shape[-1] * key.shape[-2] * value.shape[-1]


def recurrent(args: Any) -> int:
    """oneDNN's layer: each step multiplies the input and the state by their weights."""
    x, w_input, w_state = args[0], args[1], args[2]
    return 2 * x.shape[0] * x.shape[1] * (numel(w_input) + numel(w_state))


def convolution_backward(args: Any) -> int:
    """As many multiplications for each gradient as forward: places of the larger side's positions times the kernel."""
    grad, x, weight, transposed, mask = args[0], args[1], args[2], args[7], args[10]
    return 2 * numel(x if transposed else grad) * math.prod(weight.shape[1:]) * (mask[0] + mask[1])


def trilinear(x: torch.Tensor, y: torch.Tensor, z: torch.Tensor, of_x: Any, of_y: Any, of_z: Any, summed: Any) -> int:
    """torch multiplies the first two factors, sums over what the third lacks, and multiplies that by the third. Where
    nothing is summed over it is pointwise."""
    sides = []
    for tensor, added in ((x, of_x), (y, of_y), (z, of_z)):
        for place in added:
            tensor = tensor.unsqueeze(place)
        sides.append([0 if place in added else size for place, size in enumerate(tensor.shape)])
    pair = [max(sizes) for sizes in zip(sides[0], sides[1], strict=True)]
    kept = [0 if place in summed and not sides[2][place] else size for place, size in enumerate(pair)]
    first = 2 * math.prod(size for size in pair if size) if kept != pair else 0
    return first + 2 * math.prod(max(sizes) for sizes in zip(kept, sides[2], strict=True) if max(sizes))


BLIND: dict[Any, Any] = {
    aten._scaled_dot_product_flash_attention_for_cpu.default: lambda a, k: attention(*a[:3]),
    aten._scaled_dot_product_flash_attention_for_cpu_backward.default: lambda a, k: 2 * attention(*a[1:4]),
    aten.mkldnn_rnn_layer.default: lambda a, k: recurrent(a),
    aten.mkldnn_rnn_layer_backward.default: lambda a, k: 2 * recurrent(a),
    aten.convolution_backward.default: lambda a, k: convolution_backward(a),
    aten.mv.default: lambda a, k: 2 * numel(a[0]),
    aten.addmv.default: lambda a, k: 2 * numel(a[1]),
    aten.dot.default: lambda a, k: 2 * numel(a[0]),
    aten.vdot.default: lambda a, k: 2 * numel(a[0]),
    aten.addbmm.default: lambda a, k: 2 * numel(a[1]) * a[2].shape[-1],
    aten._trilinear.default: lambda a, k: trilinear(*a[:7]),
    aten._grouped_mm.default: lambda a, k: 2 * numel(a[0]) * a[1].shape[-1],
}


def flops(func: Any, args: Any, kwargs: Any, out: Any) -> int:
    if func in BLIND:
        return int(BLIND[func](args, kwargs))
    formula = flop_registry.get(func._overloadpacket)
    return 0 if formula is None else int(formula(*args, **kwargs, out_val=out))


class Products(TorchDispatchMode):
    """Counts products under each module's path."""

    def __init__(self, module: Any) -> None:
        super().__init__()
        self.total, self.by, self.running = 0, {"": 0}, [""]
        self.operators: dict[str, int] = {}
        self.handles = []
        for name, part in module.named_modules():
            if name:
                self.handles.append(part.register_forward_pre_hook(lambda *_, name=name: self.running.append(name)))
                self.handles.append(
                    part.register_forward_hook(lambda *_: self.running.pop() and None, always_call=True)
                )

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if func is torch.ops.prim.device.default:
            return out
        count = flops(func, args, kwargs or {}, out)
        self.operators[str(func)] = self.operators.get(str(func), 0) + 1
        self.total += count
        if count:
            for path in {*self.running}:
                self.by[path] = self.by.get(path, 0) + count
        return out


class Alive(TorchDispatchMode):
    """Follows the bytes that are alive after each operator."""

    def __init__(self, left_out: set[int]) -> None:
        super().__init__()
        self.left_out, self.alive, self.now, self.most = left_out, {}, 0, 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if func is torch.ops.prim.device.default:
            return out
        dense = [part for t in tensors(out) for part in ((t._indices(), t._values()) if t.is_sparse else (t,))]
        for tensor in dense:
            storage = tensor.untyped_storage()
            if storage._cdata not in self.left_out and storage.nbytes() and storage._cdata not in self.alive:
                self.alive[storage._cdata] = StorageWeakRef(storage), storage.nbytes()
            del storage
        dense.clear()
        for gone in [key for key, (weak, _) in self.alive.items() if weak.expired()]:
            del self.alive[gone]
        self.now = sum(size for _, size in self.alive.values())
        self.most = max(self.most, self.now)
        return out


def storages(found: Any) -> set[int]:
    return {tensor.untyped_storage()._cdata for tensor in found}


def peaks(path: Path) -> dict[str, int]:
    module, args, kwargs = made(path)
    given = storages(module.parameters()) | storages(module.buffers()) | storages(tensors((args, kwargs)))
    gc.collect()
    with Alive(given) as alive:
        loss = loss_of(module(*args, **kwargs))
        forward, after = alive.most, alive.now
        alive.most = 0
        loss.backward()
    return {"forward_peak_bytes": forward, "after_forward_bytes": after, "backward_peak_bytes": alive.most}


def saved(path: Path) -> dict[str, Any]:
    module, args, kwargs = made(path)
    kinds = dict.fromkeys(storages(tensors((args, kwargs))), "input")
    kinds |= dict.fromkeys(storages(module.buffers()), "buffer") | dict.fromkeys(
        storages(module.parameters()), "parameter"
    )
    kept: dict[int, tuple[str, int, list[int], str, Any]] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        kind = kinds.get(storage._cdata, "activation")
        row = kind, storage.nbytes(), [*tensor.shape], str(tensor.dtype).removeprefix("torch."), tensor
        kept.setdefault(storage._cdata, row)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        loss = loss_of(module(*args, **kwargs))
    del loss
    by = {
        kind: sum(row[1] for row in kept.values() if row[0] == kind)
        for kind in ("activation", "input", "parameter", "buffer")
    }
    rows = sorted(([*row[1:4]] for row in kept.values() if row[0] == "activation"), key=lambda row: (-row[0], str(row)))
    return {"saved_bytes": by, "saved_storages": rows}


def parameters(path: Path) -> dict[str, Any]:
    module, _, _ = made(path)
    first: dict[int, str] = {}
    shapes, tied, buffers, frozen = {}, {}, {}, []
    for name, parameter in module.named_parameters(remove_duplicate=False):
        known = first.setdefault(id(parameter), name)
        if known != name:
            tied[name] = known
            continue
        shapes[name] = [*parameter.shape]
        if not parameter.requires_grad:
            frozen.append(name)
    for name, buffer in module.named_buffers(remove_duplicate=False):
        known = first.setdefault(id(buffer), name)
        if known != name:
            tied[name] = known
        else:
            buffers[name] = [*buffer.shape]
    params = sum(map(math.prod, shapes.values()))
    return {
        "parameters": shapes,
        "tied": tied,
        "frozen": frozen,
        "buffers": buffers,
        "params": params,
        "training_mode": module.training,
    }


def products(path: Path) -> dict[str, Any]:
    module, args, kwargs = made(path)
    with Products(module) as counter:
        loss = loss_of(module(*args, **kwargs))
        forward, by, operators = counter.total, dict(counter.by), dict(counter.operators)
        loss.backward()
    module, args, kwargs = made(path)
    theirs: dict[str, int] = {}
    with contextlib.suppress(RuntimeError, AssertionError), FlopCounterMode(display=False) as own:
        loss = loss_of(module(*args, **kwargs))  # its hooks fail where a gradient is computed within the forward pass
        forward_only = own.get_total_flops()
        loss.backward()
        theirs = {"torch_counter_forward": forward_only, "torch_counter_train": own.get_total_flops()}
    return {
        "forward_matmul_flops": forward,
        "forward_by_module": by,
        "train_matmul_flops": counter.total,
        **theirs,
        "operators": operators,
    }


def measure(path: Path) -> dict[str, Any]:
    """All that is measured of a case."""
    torch.backends.mha.set_fastpath_enabled(False)
    return {**parameters(path), **products(path), **saved(path), **peaks(path), "torch": torch.__version__}


if __name__ == "__main__":
    for folder in map(Path, sys.argv[1:]):
        found = measure(folder)
        (folder / "truth.json").write_text(json.dumps(found, indent=1) + "\n")
        print(
            folder.name,
            {
                k: found[k]
                for k in (
                    "forward_matmul_flops",
                    "train_matmul_flops",
                    "saved_bytes",
                    "forward_peak_bytes",
                    "backward_peak_bytes",
                )
            },
        )

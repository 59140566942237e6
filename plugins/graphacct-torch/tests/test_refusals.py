"""Modules that do not run without data: one error that names the module, the line, and the way out."""

import socket
import threading

import pytest
import torch
from graphacct_torch.building.offline import OfflineError, offline
from torch import nn

import graphacct
from graphacct import GraphacctError


class Model(nn.Module):
    def __init__(self, does):
        super().__init__()
        self.does, self.a = does, nn.Linear(4, 4)

    def forward(self, x):
        return self.does(self, x)


def in_a_thread(m, x):
    found = []
    thread = threading.Thread(target=lambda: found.append(m.a(x)))
    thread.start()
    thread.join()
    return found[0]


def exits(m, x):
    raise SystemExit(3)


def raises(m, x):
    raise RuntimeError("my own message\nand a second line")


VALUES = (
    r"module 'Model' asks for a value that only data has \(test_refusals\.py:\d+\), as \.item\(\), .*graphacct_torch"
)
GPU = r"module 'Model' needs a GPU \(test_refusals\.py:\d+\): .*profile=\"torch-eager-cuda\""


@pytest.mark.parametrize(
    ("does", "message"),
    [
        (raises, r"module 'Model' does not run .*: RuntimeError: my own message \(test_refusals\.py:\d+\)$"),
        (lambda m, x: {}["missing"], r"KeyError: 'missing' \(test_refusals\.py"),
        (lambda m, x: x * m.a(x).sum().item(), VALUES),
        (lambda m, x: x * m.a(x).sum().tolist(), VALUES),
        (lambda m, x: x * float(m.a(x).max()), VALUES),
        (lambda m, x: x if m.a(x).sum() > 0 else -x, VALUES),
        (lambda m, x: torch.from_numpy(m.a(x).detach().numpy()), VALUES),
        (
            lambda m, x: x[m.a(x) > 0],
            r"a tensor whose size depends on data \(test_refusals.py:\d+\): aten.nonzero",
        ),
        (lambda m, x: m.a(x.cuda()), GPU),
        (lambda m, x: m.a(x) + torch.zeros(2, 4, device="cuda"), GPU),
        (lambda m, x: torch.sparse.mm(x.to_sparse(), m.a.weight), r"makes a sparse tensor \(test_refusals\.py:\d+\)"),
        (
            lambda m, x: m.a(torch.nested.to_padded_tensor(torch.nested.nested_tensor([x, x]), 0.0)),
            "makes a nested tensor",
        ),
        (lambda m, x: x @ torch.zeros(3, 3), r"must have same reduction dim, but got \[2, 4\] X \[3, 3\]"),
        (in_a_thread, r"module 'Model' reads a tensor that was made in another thread"),
        (exits, r"module 'Model' ends the program: SystemExit: 3 \(test_refusals\.py"),
        (lambda m, x: "hello", r"module 'Model' returns 'hello', in which there is no tensor"),
    ],
)
def test_what_does_not_run(does, message, caplog):
    with pytest.raises(GraphacctError, match=message) as error:
        graphacct.build((Model(does), (torch.zeros(2, 4),)))
    assert len(str(error.value).splitlines()) == 1
    assert not caplog.records  # torch logs a traceback of what its fake kernels refuse


def test_torchscript_is_refused():
    scripted = nn.Sequential(torch.jit.script(nn.Linear(4, 4)), nn.ReLU())
    with pytest.raises(GraphacctError, match=r"module '0' is a TorchScript module, .*: give the module that"):
        graphacct.build((scripted, (torch.zeros(2, 4),)))


def test_quantized_modules_are_refused():
    quantized = torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.Linear(4, 4)), {nn.Linear})
    with pytest.raises(GraphacctError, match=r"module '0' is a quantized Linear, .* with weights="):
        graphacct.build((quantized, (torch.zeros(2, 4),)))


def test_sparse_inputs_are_refused():
    with pytest.raises(GraphacctError, match=r"among its inputs is torch\.sparse_coo: graphacct accounts"):
        graphacct.build((nn.Linear(4, 4), (torch.zeros(2, 4).to_sparse(),)))


def made(tmp_path, text):
    """What graphacct says of a factory with this body."""
    file = tmp_path / "model.py"
    file.write_text(f"import torch\nfrom torch import nn\n\ndef factory():\n    {text}\n")
    return graphacct.build(f"{file}:factory")


@pytest.mark.parametrize(
    "text",
    [
        "import urllib.request; urllib.request.urlopen('http://weights.example/a.bin')",
        "import socket; socket.create_connection(('192.0.2.1', 80))",
        "return torch.hub.load_state_dict_from_url('https://weights.example/a.pth', model_dir='/nowhere')",
    ],
)
def test_no_network_while_a_model_is_built(tmp_path, text):
    """An error at once, whether there is a network or not."""
    with pytest.raises(GraphacctError, match=r"factory failed: .*models are built without network|read-only|denied"):
        made(tmp_path, text)


def test_the_own_machine_is_no_network():
    find = socket.getaddrinfo
    with offline():
        socket.getaddrinfo("localhost", 80)
        with pytest.raises(OfflineError, match=r"its code asks for weights\.example: build it without weights"):
            socket.getaddrinfo("weights.example", 443)
    assert socket.getaddrinfo is find


@pytest.mark.parametrize(
    "text",
    [
        # a real table from a large tensor without data
        "net = nn.Linear(300, 300); net.bias.data.copy_(net.weight.sum(1)); return net, (torch.zeros(2, 300),)",
        "net = nn.Linear(300, 300); float(net.weight.abs().max()); return net, (torch.zeros(2, 300),)",
        "net = nn.Linear(300, 300); net.weight.detach().numpy(); return net, (torch.zeros(2, 300),)",
        "net = nn.Linear(300, 300); nn.init.orthogonal_(net.weight); return net, (torch.zeros(2, 300),)",
        "net = nn.Linear(300, 300); nn.init.trunc_normal_(net.weight); return net, (torch.zeros(2, 300),)",
        "net = nn.Linear(300, 300); net.bias.data[:] = torch.tensor(list(range(300))); "
        "return net, (torch.zeros(2, 300),)",
    ],
)
def test_a_factory_that_mixes_tensors_with_and_without_data(tmp_path, text):
    """Where large tensors without data beside small real ones fail, all are without, and then all are real."""
    graph = made(tmp_path, text)
    assert [node.operator for node in graph.walk()] == ["linear"]


@pytest.mark.parametrize(
    ("move", "dtype"),
    [
        ("to(device=x.device, dtype=torch.float64)", "float64"),
        ("to('cpu', torch.float64)", "float64"),
        ("to(x)", "float32"),
        ("to(torch.float16)", "float16"),
        ("type_as(x)", "float32"),
        ("cpu()", "float32"),
    ],
)
def test_a_constructor_that_moves_a_large_table(tmp_path, move, dtype):
    """It stays without data, and is of the dtype that was asked for."""
    lines = (
        f"x = torch.zeros(()); net = nn.Linear(8, 8); net.register_buffer('table', torch.zeros(2**28, 8).{move}); "
        f"assert net.table.is_meta and net.table.dtype == torch.{dtype}; return net, (torch.zeros(2, 8),)"
    )
    assert "linear" in {node.operator for node in made(tmp_path, lines).walk()}


def test_a_factory_that_needs_too_much_data(tmp_path):
    with pytest.raises(GraphacctError, match=r"factory failed: .*meta"):
        made(tmp_path, "net = nn.Linear(2**15, 2**15); float(net.weight.max()); return net")


def test_first_error_is_shown(tmp_path):
    with pytest.raises(GraphacctError, match=r"factory failed: ValueError: the constructor says no \(model\.py:\d+\)$"):
        made(tmp_path, "raise ValueError('the constructor says no')")


def test_too_many_inputs_are_refused():
    with pytest.raises(GraphacctError, match=r"module 'Linear': too many positional arguments: it takes input$"):
        graphacct.build((nn.Linear(4, 4), (torch.zeros(2, 4), torch.zeros(2, 4))))


def test_a_factory_that_asks_for_a_gpu(tmp_path):
    with pytest.raises(GraphacctError, match=r"factory failed: CaptureError: it asks for a GPU: .* \(model\.py:\d+\)$"):
        made(tmp_path, "return nn.Linear(8, 8, device='cuda'), (torch.zeros(2, 8),)")


@pytest.mark.parametrize(
    ("returned", "what"),
    [("nn.Linear", "the class Linear itself"), ("3", "int"), ("[nn.ReLU(), ()]", "list")],
)
def test_a_factory_that_returns_something_else(tmp_path, returned, what):
    with pytest.raises(GraphacctError, match=rf"returned {what}, not a Graph, nor what a reader takes"):
        made(tmp_path, f"return {returned}")


class Overwriting(nn.Linear):
    def forward(self, x):
        y = super().forward(x).relu()
        y += 1
        return y


def test_a_step_that_torch_refuses_is_not_recorded():
    with pytest.raises(GraphacctError, match="was overwritten in place after it was saved: torch refuses such a step"):
        graphacct.memory((Overwriting(4, 4), (torch.zeros(2, 4),)), phase="train", profile="as-recorded")


def test_statistics_of_a_norm_in_mixed_dtypes():
    """torch's fake kernels give them the dtype of the input; its real ones that of the weights."""
    layers = nn.Sequential(nn.LayerNorm(4), nn.GroupNorm(2, 6), nn.BatchNorm1d(6))
    module, x = layers, torch.zeros(2, 6, 4, dtype=torch.bfloat16)
    kept = {"cpu": 0}

    def pack(tensor):
        if tensor.dtype == torch.float32 and not any(
            tensor.data_ptr() == t.data_ptr() for t in module.state_dict().values()
        ):
            kept["cpu"] += tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        out = module(x)
    graph = graphacct.build((module, (x,)), phase="train", loss="sum")
    saved = [save for save in graph.origin.record(graph, True, False).saves if save.spec.dtype == "float32"]
    assert sum(save.storage.bytes for save in saved if save.storage.kind == "activation") == kept["cpu"]
    assert out.dtype == torch.bfloat16

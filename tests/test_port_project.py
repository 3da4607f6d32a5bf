"""A port is built with g++ and passes the tests that it was written with, and they fail when it is wrong."""

import importlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import ported_losses
import pytest
import torch

import workbench as wb
from workbench.errors import LaunchError
from workbench.losses import ALL

needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++ to build the port")
needs_nvcc = pytest.mark.skipif(shutil.which("nvcc") is None, reason="needs nvcc")

PORTED = {
    "squared_error": (ALL["squared_error"].function, ALL["squared_error"].example, ALL["squared_error"].reference),
    "cross_entropy": (ALL["cross_entropy"].function, ALL["cross_entropy"].example, ALL["cross_entropy"].reference),
    "half_square": (ported_losses.summed, lambda device: (torch.linspace(-2, 2, 300),), None),
}


def run(command, folder):
    environment = {**os.environ, "PYTHONPATH": str(Path(wb.__file__).parent.parent)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def build(folder):
    done = run([sys.executable, "setup.py", "-q", "build_ext", "--inplace"], folder)
    assert done.returncode == 0, done.stdout + done.stderr


def own_tests(folder, chosen):
    done = run([sys.executable, "-m", "pytest", "-q", "-W", "ignore", "-p", "no:cacheprovider", "-k", chosen], folder)
    return {
        kind: int(count) for count, kind in re.findall(r"(\d+) (passed|failed|skipped|error)", done.stdout)
    }, done.stdout


@pytest.fixture(scope="module")
def port_of(tmp_path_factory):
    """Writes and builds a port, once each."""
    written = {}

    def get(name):
        if name not in written:
            function, example, reference = PORTED[name]
            folder = tmp_path_factory.mktemp("port") / f"{name}_ported"
            port = wb.port(function, *example(torch.device("cpu")), to=folder, reference=reference)
            build(folder)
            written[name] = port
        return written[name]

    return get


@pytest.fixture
def package_of(port_of, monkeypatch):
    """Imports a port."""

    def get(name):
        port = port_of(name)
        monkeypatch.syspath_prepend(str(port.directory))
        return importlib.import_module(port.name)

    return get


@needs_compiler
@pytest.mark.parametrize(
    ("name", "chosen", "least"),
    [
        ("squared_error", "not inductor", 25),
        pytest.param("cross_entropy", "not inductor", 25, marks=pytest.mark.long),
        pytest.param("half_square", "example or operator or ported_kernels", 5, marks=pytest.mark.long),
    ],
)
def test_a_port_passes_its_own_tests(name, chosen, least, port_of):
    counts, said = own_tests(port_of(name).directory, chosen)
    assert set(counts) == {"passed"}, said
    assert counts["passed"] >= least, said


@pytest.mark.long
@needs_compiler
def test_its_tests_fail_where_a_kernel_leaves_its_last_thread_out(port_of, tmp_path):
    folder = shutil.copytree(
        port_of("squared_error").directory, tmp_path / "wrong", ignore=shutil.ignore_patterns("build")
    )
    kernels = folder / "csrc" / "kernels.cuh"
    right, wrong = "if (i < loss.size())", "if (i + 1 < loss.size())"
    assert kernels.read_text().count(right) == 1
    kernels.write_text(kernels.read_text().replace(right, wrong))
    build(folder)
    counts, said = own_tests(folder, "example or other_sizes")
    assert counts.get("failed", 0) >= 10, said


@needs_compiler
def test_what_the_port_says_of_itself(port_of):
    port = port_of("half_square")
    assert port.name == "half_square_ported"
    assert [kernel.name for kernel in port.kernels] == ["elementwise_kernel_half_square", "elementwise_kernel_slope"]
    assert port.missing == ("elementwise_kernel_never",)
    assert [operator.schema for operator in port.operators] == ["(Tensor x, SymInt power) -> Tensor"]
    assert str(port) == (
        f"half_square as a PyTorch extension in {port.directory}\n\n"
        "  elementwise_kernel_half_square from ported_losses:made_for.<locals>.kernel_of.<locals>.elementwise_kernel\n"
        "  elementwise_kernel_slope from ported_losses:made_for.<locals>.kernel_of.<locals>.elementwise_kernel\n"
        "  torch.ops.half_square_ported.half_square from HalfSquare\n"
        "  not translated, since nothing launched it: elementwise_kernel_never\n\n"
        "Its README.md says how to build and test it, and what to look at next."
    )


@needs_compiler
def test_a_kernel_that_was_not_ported_refuses(package_of):
    with pytest.raises(NotImplementedError, match="elementwise_kernel_never is not part of this extension"):
        package_of("half_square").half_square(torch.ones(3), power=2)


def test_kernels_that_only_an_option_launches(tmp_path):
    port = wb.port(ported_losses.summed, torch.ones(3), to=tmp_path, name="powers", options=[{"power": 2}])
    assert [kernel.name for kernel in port.kernels][-1] == "elementwise_kernel_never"
    assert port.missing == ()
    assert "as it is and with `power=2`." in (tmp_path / "README.md").read_text()
    assert 'CALLS = [({}, MOVING), ({"power": 2}, [0])]' in (tmp_path / "tests" / "test_parity.py").read_text()


def test_an_option_that_does_not_take_a_gradient_for_every_input(tmp_path):
    loss = ALL["adaptive_robust"]
    inputs = [x.detach().requires_grad_() for x in loss.example(torch.device("cpu"))]
    port = wb.port(loss.function, *inputs, to=tmp_path, name="robust", options=[{"by_differences": True}])
    assert port.missing == ()
    assert (
        'CALLS = [({}, MOVING), ({"by_differences": True}, [0])]' in (tmp_path / "tests" / "test_parity.py").read_text()
    )


@needs_compiler
@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda k, x: k[1, 32].kernel.operator(x, x.double(), x, [1], [32], 0), "y is Double, and x is Float"),
        (lambda k, x: k[1, 32].kernel.operator(x[None], x, x.clone(), [1], [32], 0), "x has 2 dimensions"),
        (lambda k, x: k[1, 32].kernel.operator(x.int(), x.int(), x.int(), [1], [32], 0), "the kernel takes Float and"),
        (lambda k, x: k[1, 32].kernel.operator(x, x, x.clone(), [0], [32], 0), "the grid has 0 along x"),
        (lambda k, x: k[1, 32].kernel.operator(x, x, x.clone(), [1, 2, 3, 4], [32], 0), "the grid has 4 dimensions"),
        (lambda k, x: k[1, 32].kernel.operator(x, x, x.clone(), [1], [64, 32], 0), "a block of 2048 threads"),
    ],
)
def test_an_operator_refuses_a_call_that_cannot_be_right(call, said, package_of):
    with pytest.raises(RuntimeError, match=said):
        call(package_of("squared_error").kernels.squared_error_kernel, torch.ones(5))


@needs_compiler
def test_a_port_runs_under_its_prototype(package_of):
    loss = ALL["squared_error"]
    package = package_of("squared_error")
    x, y = torch.ones(4), torch.zeros(4)
    with wb.ported(package):
        ran = []
        package.kernels.squared_error_kernel.operator, own = (
            lambda *given: ran.append(own(*given)),
            package.kernels.squared_error_kernel.operator,
        )
        try:
            assert float(loss.function(x, y)) == 1
        finally:
            package.kernels.squared_error_kernel.operator = own
        audit = wb.audit(loss.function, *loss.example(torch.device("cpu")), reference=loss.reference)
    assert len(ran) == 1
    assert audit.passed
    loss.function(x, y)
    assert len(ran) == 1


@needs_compiler
def test_a_kernel_that_has_changed_since_is_refused(package_of, monkeypatch):
    package = package_of("squared_error")
    monkeypatch.setattr(package.kernels.squared_error_kernel, "fingerprints", ("another",))
    x = torch.ones(4)
    with wb.ported(package), pytest.raises(LaunchError, match="is not what was ported: it has changed since"):
        ALL["squared_error"].function(x, x)


@pytest.mark.parametrize("package", [torch, "squared_error", None])
def test_what_is_no_port_is_refused(package):
    with pytest.raises(LaunchError, match=r"is not an extension that workbench\.port wrote"), wb.ported(package):
        pass


@pytest.mark.long
@needs_nvcc
@pytest.mark.parametrize("name", PORTED)
def test_nvcc_compiles_the_operators(name, port_of, tmp_path):
    torch_headers = Path(torch.__file__).parent / "include"
    command = ["nvcc", "-std=c++20", "-c", "csrc/ops.cu", "-o", str(tmp_path / "ops.o"), f"-I{torch_headers}"]
    command += ["-arch=sm_90", "-DTORCH_TARGET_VERSION=0x020a000000000000"]
    done = run(command, port_of(name).directory)
    assert done.returncode == 0, done.stderr

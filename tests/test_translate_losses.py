"""Every kernel of the losses and patterns in C++: g++ runs what the CPU executor runs, and nvcc compiles it."""

import ast
import inspect
import shutil
import subprocess
import textwrap

import numpy as np
import ported_kernels
import pytest
import torch

import workbench as wb
from workbench import losses, numba_cuda, patterns
from workbench.executors.cpu import compile as compiling
from workbench.executors.cpu import run
from workbench.porting.translation import translate
from workbench.recording import distinct, recorded

ALL = {**losses.ALL, **patterns.ALL}

FUNCTIONS = {name: (one.function, name) for name, one in ALL.items()} | {
    "in a fixed order": (lambda x, y: losses.squared_distance(x, y, deterministic=True), "squared_distance"),
    "by differences": (
        lambda x, alpha, scale: losses.adaptive_robust(x, alpha.detach(), scale.detach(), by_differences=True),
        "adaptive_robust",
    ),
    "squares alone": (lambda x, y: patterns.two_outputs(x, y)[0], "two_outputs"),
    "product alone": (lambda x, y: patterns.two_outputs(x, y)[1], "two_outputs"),
}
"""Functions that between them launch every kernel, and whose example each takes."""

ARCHITECTURES = ("75", "80", "90", "100", "120")

TRANSCENDENTAL = ("exp(", "log(", "log1p(", "expm1(", "sin(", "tanh(", "cosh(")

AMPLIFIED = {"by differences": 200}
"""A difference of float32 divided by a step of 0.005."""


def launches_of(name, dtype):
    """The launches of a function and of its backward, on its example in a dtype."""
    function, example = FUNCTIONS[name]
    given = ALL[example].example(torch.device("cpu"))
    leaves = [x.detach().to(dtype).requires_grad_(x.requires_grad) if x.is_floating_point() else x for x in given]
    with recorded() as launches:
        result = function(*leaves)
        sum(part.sum() for part in (result if isinstance(result, tuple) else (result,))).backward()
    return distinct(launches)


@pytest.fixture(scope="module", autouse=True)
def no_contraction():
    """The executor rounds each product and each sum, as g++ does with -ffp-contract=off."""
    options = compiling._options
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiling, "_options", lambda *given: options(*given) | {"fastmath": False})
        run._compiled.clear()
        yield
    run._compiled.clear()


@pytest.fixture(scope="module")
def translated(no_contraction):
    """The translation of each kernel, by the first function that launches it, with a launch in float32 and float64."""
    found = {}
    for name in FUNCTIONS:
        for one, other in zip(launches_of(name, torch.float32), launches_of(name, torch.float64), strict=True):
            if id(one.kernel) not in found:
                found[id(one.kernel)] = name, translate(one.kernel, one.argument_types, other.kernel), one, other
    return list(found.values())


@pytest.fixture(scope="module")
def source(translated):
    parts = ['#include "port.cuh"\n\nusing namespace port;\n', ported_kernels.CALLER]
    for k, (_, translation, _, _) in enumerate(translated):  # apart, since several kernels are called gradient_kernel
        functions = [*(text for _, text in translation.devices), translation.source]
        functions += [
            ported_kernels.caller_of(translation, f"{translation.name}_{k}_{scalar}", scalar)
            for scalar in ("float", "double")
        ]
        parts.append("\n".join([f"namespace kernel_{k} {{\n", *functions, "}\n"]))
    return "\n".join(parts)


@pytest.mark.long
def test_every_kernel_is_a_template_without_surprises(translated):
    assert len(translated) == 35
    assert all(translation.templated for _, translation, _, _ in translated)
    warned = [warning for _, translation, _, _ in translated for warning in translation.warnings]
    assert [warning.split(": ", 1)[1] for warning in warned] == [
        "positive_part_kernel: `total += positive(x[row, i], zero)` is computed in float64"
    ]


@pytest.mark.long
def test_the_cpu_build_computes_what_the_executor_computes(translated, source, tmp_path):
    library = ported_kernels.compiled(source, tmp_path)
    for k, (name, translation, *launches) in enumerate(translated):
        for scalar, launch in zip(("float", "double"), launches, strict=True):
            configuration = numba_cuda.configuration(launch.configured)
            wanted, found = (_copies(translation, launch.arguments) for _ in range(2))
            wb.launch(launch.configured, *wanted)
            label = f"{translation.name}_{k}_{scalar}"
            sizes = configuration.grid, configuration.block, configuration.shared_bytes
            ported_kernels.call(library, label, translation, sizes, found)
            for parameter, x, y in zip(translation.parameters, found, wanted, strict=True):
                if parameter.written:
                    ulps = 8 * AMPLIFIED.get(name, 1) if scalar == "float" and _is_transcendental(translation) else 0
                    _compare(f"{label}: {parameter.name}", x, y, ulps)


def _copies(translation, arguments):
    return [
        (torch.zeros_like(x) if parameter.written else x.detach().clone()) if isinstance(x, torch.Tensor) else x
        for parameter, x in zip(translation.parameters, arguments, strict=True)
    ]


def _is_transcendental(translation):
    text = translation.source + "".join(source for _, source in translation.devices)
    return any(name in text for name in TRANSCENDENTAL)


def _compare(label, found, wanted, ulps):
    """Bit for bit; where a float32 function is another polynomial, within its errors."""
    tolerance = ulps * torch.finfo(found.dtype).eps
    largest = float(wanted.abs().max())
    np.testing.assert_allclose(found.numpy(), wanted.numpy(), tolerance, tolerance * largest, err_msg=label)


@pytest.mark.long
@pytest.mark.skipif(shutil.which("nvcc") is None, reason="needs nvcc")
def test_nvcc_compiles_every_kernel(source, tmp_path):
    path = tmp_path / "kernels.cu"
    path.write_text(source)
    flags = ["-std=c++20", f"-I{ported_kernels.HEADERS}", "-Werror", "all-warnings"]
    flags += [f"-gencode=arch=compute_{one},code=sm_{one}" for one in ARCHITECTURES]
    done = subprocess.run(
        ["nvcc", *flags, "--threads", "2", "-c", str(path), "-o", "kernels.o"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[:4000]


def test_kernels_keep_their_comments(translated):
    for _, translation, launch, _ in translated:
        function = numba_cuda.python_function(launch.kernel)
        docstring = ast.get_docstring(ast.parse(textwrap.dedent(inspect.getsource(function))).body[0])
        for line in filter(None, docstring.splitlines()):
            assert f"// {line}" in translation.source

"""The fix that a report gives for a float64 leak mends it: each is put into the source, and the leak is gone."""

import ast
import importlib.util
import linecache
import re
from pathlib import Path

import leaky_kernels
import pytest

import workbench as wb
from workbench.inspection.float64 import Float64

SOURCE = Path(leaky_kernels.__file__).read_text(encoding="utf-8")
MOST = 4
"""Fixes that one kernel may take: a second leak may show when the first is gone."""


def mended(source: str, leak: Float64) -> str:
    """The source with one fix applied to the expression that it is for."""
    if found := re.search(r"pass (np\.float32)\(|on every path: \w+ = (float32)\(", leak.fix):
        before = r"X, 0\.1, OUT" if found[1] else rf"(?<=    {leak.expression} = )0"
        after = "X, np.float32(0.1), OUT" if found[1] else "float32(0)"
        assert len(re.findall(before, source)) == 1
        return re.sub(before, after, source)
    advice = re.search(r"write (.*?)(?:, which.*|, or.*| where it is used)?$", leak.fix)[1]
    lines = source.splitlines(keepends=True)
    nodes = [node for node in ast.walk(ast.parse(source)) if getattr(node, "lineno", 0) == leak.place.line]
    if " = " in advice:
        node = next(node for node in nodes if isinstance(node, ast.Assign))
    elif "[...]" in advice:
        node = next(n for n in nodes if isinstance(n, ast.Subscript) and ast.unparse(n.value) == leak.expression)
        advice = advice.replace("[...]", f"[{ast.unparse(node.slice)}]")
    elif " ** " in advice or advice.startswith("math.sqrt(x"):
        node = next(n for n in nodes if isinstance(n, ast.BinOp) and isinstance(n.op, ast.Pow))
    else:
        node = next(n for n in nodes if isinstance(n, ast.expr) and ast.unparse(n) == leak.expression)
    line = lines[node.lineno - 1]
    lines[node.lineno - 1] = line[: node.col_offset] + advice + line[node.end_col_offset :]
    return "".join(lines)


@pytest.mark.parametrize("name", leaky_kernels.LEAKS)
def test_the_advice_mends_the_leak(name, tmp_path):
    source, advice = SOURCE, []
    for round in range(MOST + 1):
        path = tmp_path / f"leaky_kernels_{round}.py"
        path.write_text(source, encoding="utf-8")
        spec = importlib.util.spec_from_file_location(path.stem, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        leak = module.LEAKS[name]
        leaks = wb.report(leak.kernel, *leak.arguments).leaks
        if not leaks:
            assert advice, "there was no leak to mend"
            return
        smallest = min(leaks, key=lambda one: len(one.expression))
        advice.append((linecache.getline(str(path), smallest.place.line).strip(), smallest.fix))
        source = mended(source, smallest)
    pytest.fail(f"still leaks after {advice}")

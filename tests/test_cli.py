"""The command line as a stranger uses it."""

import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

from workbench import losses, patterns
from workbench.cli import main, notebooks


def test_help_names_every_command(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    said = capsys.readouterr().out
    for command in ("tour", "lab", "list", "audit"):
        assert re.search(rf"^\s+{command}\s+\w", said, re.MULTILINE)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["tuor"], "there is no command 'tuor'; did you mean 'tour'?"),
        (["frobnicate"], "there is no command 'frobnicate'; there are tour, lab, list, audit"),
        ([], "COMMAND"),
        (["audit"], "NAME"),
    ],
)
def test_a_wrong_command_suggests_the_right_one(arguments, said, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert said in capsys.readouterr().err


def test_list_names_losses_and_patterns_and_says_what_each_is_for(capsys):
    assert main(["list"]) == 0
    said = capsys.readouterr().out.split("patterns")
    for part, known in zip(said, (losses.ALL, patterns.ALL), strict=True):
        listed = [line.split(maxsplit=1) for line in part.splitlines()[1:] if line]
        assert listed == [[entry.name, entry.summary] for entry in known.values()]


@pytest.mark.parametrize("name", ["squared_error", "exponential", "two_outputs"])
def test_audit_prints_the_table(name, capsys):
    assert main(["audit", name]) == 0
    said = capsys.readouterr().out
    assert f"audit of {name} on the" in said
    assert "WRONG" not in said


def test_audit_of_a_stand_in_says_that_differences_must_contradict_it(capsys):
    assert main(["audit", "straight_through_round"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "gradient by x, float64, against differences ✗ WRONG" in said
    assert "claims a gradient that is on purpose not the derivative of its value" in said
    assert said.endswith("Differences of the value must contradict it, and nothing else may: so it is.")


TRUE, CLAIMED = patterns.ALL["exponential"], patterns.ALL["straight_through_round"]


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        (dataclasses.replace(CLAIMED, stand_in=False), "WRONG"),
        (dataclasses.replace(TRUE, reference=lambda x: 2 * x.exp()), "a factor 2 is missing"),
        (dataclasses.replace(TRUE, stand_in=True), "it is NOT so"),
        (dataclasses.replace(CLAIMED, reference=lambda x: x + 2 * (x.round() - x).detach()), "it is NOT so"),
    ],
    ids=["no stand-in", "wrong", "not contradicted", "a stand-in that is wrong"],
)
def test_audit_of_a_pattern_that_is_not_as_it_claims(pattern, said, capsys, monkeypatch):
    monkeypatch.setitem(patterns.ALL, "mine", pattern)
    assert main(["audit", "mine"]) == 1
    assert said in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("square_eror", "there is no loss or pattern 'square_eror'; did you mean 'squared_error'?"),
        ("two_output", "there is no loss or pattern 'two_output'; did you mean 'two_outputs'?"),
        ("sine_squard_vjp", "there is no loss or pattern 'sine_squard_vjp'; did you mean 'sine_squared_vjp' or "),
        ("decay", "'decay'; did you mean 'decay_kernel' or 'decay_torch' or 'decay_vjp'?"),
        ("frobnicate", "there is no loss or pattern 'frobnicate'; `workbench list` names them all"),
    ],
)
def test_audit_of_a_wrong_name_suggests_right_ones(name, said, capsys):
    assert main(["audit", name]) == 2
    assert said in capsys.readouterr().err


MINE = """
import torch


class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, upstream):
        (x,) = ctx.saved_tensors
        return FACTOR * x * upstream


def reference(x):
    return x**2
"""

EXAMPLE = """

def example():
    return torch.linspace(-1, 1, 50)
"""


def test_audit_of_a_users_own_function(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    path = tmp_path / "mine.py"
    for factor, status, said in ((2, 0, "audit of Square on the cpu: passed"), (1, 1, "a factor 2 is missing")):
        path.write_text(MINE.replace("FACTOR", str(factor)) + EXAMPLE)
        assert main(["audit", f"{path}:Square"]) == status
        assert said in capsys.readouterr().out


def test_audit_of_a_users_own_function_says_what_it_needs(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    path = tmp_path / "mine.py"
    assert main(["audit", f"{path}:Square"]) == 2
    assert f"there is no file {path}" in capsys.readouterr().err
    path.write_text(MINE.replace("FACTOR", "2"))
    assert main(["audit", f"{path}:Sqare"]) == 2
    assert "has no 'Sqare'; did you mean 'Square'?" in capsys.readouterr().err
    assert main(["audit", f"{path}:Square"]) == 2
    assert "has no example(); write one that returns the inputs for Square" in capsys.readouterr().err


def test_tour_refuses_a_folder_that_is_not_there(capsys, tmp_path):
    assert main(["tour", "--page", str(tmp_path / "nowhere" / "page.html")]) == 2
    assert "there is no folder" in capsys.readouterr().err


def contents(address: str) -> list[dict]:
    """What the server lists; it says where it listens a moment before it does."""
    for _ in range(50):
        try:
            with urllib.request.urlopen(address, timeout=30) as answer:
                return json.load(answer)["content"]
        except urllib.error.URLError as error:
            if not isinstance(error.reason, ConnectionRefusedError):
                raise
            time.sleep(0.2)
    raise TimeoutError(address)


def test_lab_serves_the_notebooks_on_loopback_with_a_token(tmp_path):
    pytest.importorskip("jupyterlab", reason="needs the lab extra")
    environment = {**os.environ, "JUPYTER_RUNTIME_DIR": str(tmp_path), "JUPYTER_CONFIG_DIR": str(tmp_path)}
    command = [sys.executable, "-m", "workbench", "lab", "--no-browser", "--port", "18888"]
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as server:
        try:
            for line in server.stderr:
                found = re.search(r"http://(127\.0\.0\.1:\d+)/lab\S*\?token=(\w+)", line)
                if found:
                    break
            else:
                pytest.fail("the server stopped without saying where it listens")
            address, token = found.groups()
            names = [entry["name"] for entry in contents(f"http://{address}/api/contents?token={token}")]
            assert "00_start_here.ipynb" in names
            with pytest.raises(urllib.error.HTTPError, match="403"):
                urllib.request.urlopen(f"http://{address}/api/contents", timeout=30)
        finally:
            os.killpg(server.pid, signal.SIGKILL)


def test_notebooks_are_found_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert (notebooks() / "00_start_here.ipynb").is_file()

"""What the README shows is what the project does."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def without_numbers(text: str) -> list[str]:
    """Words only: the last digits of an error may differ between processors."""
    text = re.sub(r"-?\d[\d.,]*(e[+-]?\d+)?", "#", text)
    return re.sub(r"[\s─]+", " ", text).split()


def test_the_audit_on_the_first_screen_is_what_the_code_beside_it_prints(tmp_path):
    code = re.search(r"```python\n(.*?)```", README, re.DOTALL).group(1)
    shown = re.search(r"```text\n(.*?)```", README, re.DOTALL).group(1)
    script = tmp_path / "example.py"
    script.write_text(code, encoding="utf-8")
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, encoding="utf-8", check=True, env=environment
    )
    assert without_numbers(done.stdout) == without_numbers(shown)


def test_every_room_that_the_map_names_exists():
    rooms = re.search(r"```\nworkbench/\n(.*?)```", README, re.DOTALL).group(1)
    named = re.findall(r"^  (\w+\.py|\w+/)", rooms, re.MULTILINE)
    assert len(named) >= 8
    for room in named:
        assert (ROOT / "workbench" / room).exists(), room


def test_the_environment_installs_the_extras_of_the_test_command():
    extras = re.findall(r'-e "\.\[([\w,]+)\]"', README)
    environment = (ROOT / "environment.yml").read_text(encoding="utf-8")
    assert len(extras) == 2
    assert re.search(r"- -e \.\[([\w,]+)\]", environment).group(1) == extras[0] == extras[1]


def test_the_environment_names_nothing_that_pyproject_should():
    """Only Python and pip come from conda; every package and its pin has one source, pyproject.toml."""
    environment = (ROOT / "environment.yml").read_text(encoding="utf-8")
    listed = re.findall(r"^\s+- ([^:\n]+)$", environment, re.MULTILINE)
    assert listed == ["conda-forge", "python=3.12", "pip", "-e .[lab,test]"]
    low, high = re.search(r'requires-python = ">=3\.(\d+),<3\.(\d+)"', (ROOT / "pyproject.toml").read_text()).groups()
    assert int(low) <= 12 < int(high)


def test_ci_runs_the_readme_s_test_command():
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    pattern = re.search(r"s/(\^.*\$)/", script).group(1).replace(r"\(", "(").replace(r"\)", ")")
    commands = re.findall(pattern, README, re.MULTILINE)
    assert len(commands) == 1
    assert commands[0].endswith(".venv/bin/pytest")

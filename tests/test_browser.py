"""A notebook in a real JupyterLab in a real browser: Run All, then the slider is moved with the keyboard."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import nbformat
import pytest

pytest.importorskip("jupyterlab", reason="needs the lab extra")
playwright = pytest.importorskip("playwright.sync_api", reason="needs the test extra")

CELLS = [
    "from workbench import plot",
    "print('no error, and nothing on stderr')",
    "plot.slider(lambda offset: plot.lanes('shfl_down_sync', offset), offset=[16, 8, 4, 2, 1], start=8)",
]

FOLDER = Path(__file__).parent.parent / "notebooks"

COURSE = [path for path in sorted(FOLDER.glob("*.ipynb")) if "plot.slider(" in path.read_text(encoding="utf-8")]

TOKEN = "of-this-test"

SECOND = 1000  # playwright counts in milliseconds

IDLE = ".jp-Notebook-ExecutionIndicator[data-status='idle']"
PROMPTS = ".jp-CodeCell .jp-InputArea-prompt"
ENDED = f"""() => {{
    const prompts = [...document.querySelectorAll("{PROMPTS}")].map(prompt => prompt.textContent);
    return prompts[0] == "[1]:" && !prompts.includes("[*]:");
}}"""
ERRORS = ", ".join(
    f".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.{kind}']" for kind in ("error", "stderr")
)
PIXELS = "async image => Array.from(new Uint8Array(await (await fetch(image.src)).arrayBuffer())).join()"


def executable(chromium):
    """Playwright's own Chromium, or else the machine's; the test is skipped where there is none."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    found = [chromium.executable_path, *map(shutil.which, names)]
    for path in found:
        if path and Path(path).exists():
            return path
    pytest.skip("needs a Chromium: playwright install chromium")


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as started:
        path = executable(started.chromium)
        opened = started.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield opened
        opened.close()


@pytest.fixture
def lab(tmp_path):
    """The address of a JupyterLab of its own, and the folder that it shows."""
    folder, home = tmp_path / "notebooks", tmp_path / "jupyter"
    folder.mkdir()
    settings = home / "labconfig"
    settings.mkdir(parents=True)
    announcements = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}
    (settings / "page_config.json").write_text(json.dumps(announcements), encoding="utf-8")
    everything = {"@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"}}  # also cells out of sight
    (settings / "default_setting_overrides.json").write_text(json.dumps(everything), encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1"]
    command += [f"--ServerApp.port={address.rpartition(':')[2]}", "--ServerApp.port_retries=0"]
    command += [f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={folder}"]
    homes = dict.fromkeys(("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"), str(home))
    with open(tmp_path / "log", "w") as log:
        server = subprocess.Popen(command, env={**os.environ, **homes}, stdout=log, stderr=subprocess.STDOUT)
    try:
        _wait_until_up(address, server, tmp_path / "log")
        yield address, folder
    finally:
        server.terminate()
        server.wait(60)


def _wait_until_up(address, server, log):
    for _ in range(600):
        try:
            urllib.request.urlopen(f"{address}/api", timeout=5).close()
            return
        except OSError:
            assert server.poll() is None, log.read_text(encoding="utf-8")
            time.sleep(0.1)
    pytest.fail(log.read_text(encoding="utf-8"))


def test_run_all_and_move_the_slider(lab, browser):
    address, folder = lab
    cells = [nbformat.v4.new_code_cell(cell) for cell in CELLS]
    kernel = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), folder / "made.ipynb")
    with opened(browser, address, "made.ipynb") as page:
        run_all(page, len(CELLS))
        assert page.locator(".jupyter-widgets .widget-readout").inner_text() == "8"
        one, two, again, start = move_the_slider(page, "ArrowRight", "ArrowRight", "ArrowLeft", "ArrowLeft")
        assert one == again
        assert len({one, two, start}) == 3
        assert page.locator(".jupyter-widgets .widget-readout").inner_text() == "8"


@pytest.mark.long
@pytest.mark.parametrize("path", COURSE[:1], ids=lambda path: path.stem)
def test_a_notebook_of_the_course(path, lab, browser):
    address, folder = lab
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":  # so that what is seen afterwards was run here
            cell.outputs, cell.execution_count = [], None
    nbformat.write(notebook, folder / path.name)
    with opened(browser, address, path.name) as page:
        run_all(page, sum(cell.cell_type == "code" for cell in notebook.cells))
        there, back = move_the_slider(page, "ArrowRight", "ArrowLeft")
        assert there != back


@contextlib.contextmanager
def opened(browser, address, name):
    """The page of a notebook whose kernel is ready; nothing may fail on it, and nothing pop up."""
    page = browser.new_page(viewport={"width": 1280, "height": 1000})
    page.set_default_timeout(60 * SECOND)
    playwright.expect.set_options(timeout=60 * SECOND)
    failures = []
    page.on("pageerror", lambda error: failures.append(str(error)))
    page.goto(f"{address}/lab/tree/{name}?token={TOKEN}")
    # the notebook's own sign says idle before there is a kernel
    playwright.expect(page.locator("#jp-main-statusbar")).to_contain_text("Python 3 (ipykernel) | Idle")
    yield page
    assert page.locator(".Toastify__toast").count() == 0
    assert failures == []
    page.close()


def run_all(page, count):
    """Run All Cells, of which so many are code, and wait until the kernel is idle: none has failed or complained."""
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    page.wait_for_function(ENDED, timeout=300 * SECOND)
    page.wait_for_selector(IDLE)
    assert page.locator(ERRORS).all_inner_texts() == []
    assert page.locator(PROMPTS).all_inner_texts() == [f"[{k + 1}]:" for k in range(count)]


def image(page):
    return page.locator(".jupyter-widgets img.widget-image").first


def move_the_slider(page, *keys):
    """Press the keys on the first slider, and return the bytes of the picture after each."""
    handle = page.locator(".jupyter-widgets .noUi-handle").first
    handle.focus()
    seen = []
    for key in keys:
        source = image(page).get_attribute("src")
        handle.press(key)
        playwright.expect(image(page)).not_to_have_attribute("src", source)
        seen.append(image(page).evaluate(PIXELS))
    return seen

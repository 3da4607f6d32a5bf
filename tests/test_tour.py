"""The tour, in full: what it claims was so, and the page stands on its own."""

import base64
import re

import pytest

from workbench.cli import main
from workbench.losses import ALL


@pytest.fixture(scope="module")
def taken(tmp_path_factory):
    pytest.importorskip("sklearn", reason="the digits come with the lab extra")
    path = tmp_path_factory.mktemp("tour") / "page.html"
    status = main(["tour", "--page", str(path)])
    return status, path.read_text(encoding="utf-8")


def test_everything_it_claims_is_so(taken):
    assert taken[0] == 0


def test_the_page_needs_nothing_from_outside(taken):
    _, page = taken
    assert not re.search(r"<(script|link|iframe)", page)
    assert re.findall(r'(?:src|href)="(.{5})', page) == ["data:"] * 3


def test_the_pictures_are_png_and_have_words(taken):
    _, page = taken
    for alt, data in re.findall(r'alt="([^"]+)" src="data:image/png;base64,([^"]+)"', page):
        assert alt
        assert base64.b64decode(data).startswith(b"\x89PNG")


def test_the_page_holds_every_part(taken):
    _, page = taken
    for said in (
        "kernels run on",
        "1,000,000 float32 elements",
        "equal, bit for bit",
        "times as long for each element",
        *(f"audit of {name} on the cpu: passed" for name in ALL),
        "On the mean it is 4,096 times too large",
        "Without it: the upstream gradient is ignored: multiply by it",
        "test accuracy",
        "The step of a finite difference",
        "00_start_here.ipynb",
    ):
        assert said in page, said

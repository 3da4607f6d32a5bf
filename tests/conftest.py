"""What every test shares: fixed seeds, the devices, and the skip of GPU tests on a machine without a GPU."""

import os
import shutil
import tempfile

import numpy as np
import pytest
import torch


def pytest_configure(config):
    """A cache of its own for this run: what one of its processes has compiled, another loads."""
    if not hasattr(config, "workerinput"):
        os.environ["WORKBENCH_CACHE"] = folder = tempfile.mkdtemp(prefix="workbench-tests-")
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """A file stays in one process, but notebooks, which run in kernels of their own, are shared out one by one."""
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid):
            return nodeid if "::test_runs_from_top_to_bottom[" in nodeid else super()._split_scope(nodeid)

    return Scheduling(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_collection_modifyitems(items):
    if torch.cuda.is_available():
        return
    for item in items:
        if item.get_closest_marker("gpu"):
            item.add_marker(pytest.mark.skip(reason="needs a CUDA GPU"))


@pytest.fixture(params=["cpu", pytest.param("cuda:0", marks=pytest.mark.gpu)])
def device(request):
    return torch.device(request.param)


@pytest.fixture(autouse=True)
def _seeds():
    torch.manual_seed(0)
    np.random.seed(0)

"""`pip install .` from a copy of the tree: outside the folder the library routes, trains and takes a new tool."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

ADD_TOOL = """
import json, router
from router.network import Router
new = Router.from_pretrained().add_tool("parcel", "Where a parcel is.", ["where is my parcel RR1", "track my package"])
print(json.dumps([router.__file__, new.router.decide("track parcel RR2").tool, new.recognised]))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a new environment that holds the wheel, and of this one all that the wheel depends on."""
    folder = tmp_path_factory.mktemp("install")
    files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, files.split("\0")):
        if (ROOT / name).is_file():  # not one that is deleted and still in the index
            (folder / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / "tree" / name)
    environment = folder / "environment"
    venv.create(environment, symlinks=True)
    python = environment / "bin" / "python"
    packages = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    run([*pip, "wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w", folder, folder / "tree"], folder)
    run([*pip, "--python", python, "install", "--no-deps", "--no-index", *folder.glob("*.whl")], folder)
    (Path(packages) / "tested.pth").write_text(sysconfig.get_path("purelib") + "\n", "utf-8")
    return python


def run(command: list[str | Path], folder: Path, text: str | None = None) -> subprocess.CompletedProcess[str]:
    """``command`` in ``folder``, without this tree on any path; its output, whatever its status shown when it fails."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(command, cwd=folder, input=text, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return done


def test_an_installed_library_routes(installed: Path, tmp_path: Path) -> None:
    row = json.loads(run([installed, "-m", "router", "route"], tmp_path, "what's 20% of 45\n").stdout)
    assert row["tool"] == "calculator" and not row["abstained"] and row["arguments"]


def test_an_installed_library_takes_a_new_tool(installed: Path, tmp_path: Path) -> None:
    found, tool, recognised = json.loads(run([installed, "-c", ADD_TOOL], tmp_path).stdout)
    assert Path(found).is_relative_to(installed.parents[1])
    assert tool == "parcel" and recognised == 1


def test_an_installed_library_trains_a_router(installed: Path, tmp_path: Path) -> None:
    rows = [
        (f"turn the {room} lights {way}", "lights") for room in ("hall", "kitchen", "attic") for way in ("on", "off")
    ]
    rows += [(f"{ask} parcel RR{n}", "parcel") for n in range(3) for ask in ("where is", "track")]
    lines = [json.dumps({"question": question, "tool": tool}) for question, tool in rows]
    (tmp_path / "rows.jsonl").write_text("\n".join(lines), "utf-8")
    train = [installed, "-m", "router", "train", "rows.jsonl", "--out", "mine", "--epochs", "1"]
    assert set(json.loads(run(train, tmp_path).stdout)) >= {"labels", "warnings", "held_out"}
    row = json.loads(run([installed, "-m", "router", "route", "--router", "mine"], tmp_path, "20 % of 45\n").stdout)
    assert set(row["probabilities"]) == {"lights", "parcel", "none", "smalltalk"}


def test_the_wheel_holds_every_data_file_of_its_packages(installed: Path) -> None:
    packages = next((installed.parents[1] / "lib").glob("*/site-packages"))
    listed = subprocess.run(
        ["git", "ls-files", "router", "baselines"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    names = [name for name in listed.stdout.split() if (ROOT / name).is_file()]
    missing = [name for name in names if not (packages / name).is_file()]
    assert missing == ["baselines/evaluate/gatekeeper.mjs"]  # it drives assets/gatekeeper.js, which is the page's
    assert not (packages / "pages").exists()

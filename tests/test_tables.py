"""The README's tables are what the committed rows say."""

from __future__ import annotations

from pathlib import Path

import pytest

from baselines.evaluate import tables

README = Path(__file__).parents[1] / "README.md"


def test_the_readme_does_not_drift_from_the_rows() -> None:
    assert tables.check(README) == 0


def test_drift_is_found_and_mended(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("before\n<!-- results:growth -->\nold\n<!-- /results -->\nafter\n", encoding="utf-8")
    assert tables.check(readme) == 1 and "growth differs" in capsys.readouterr().err
    assert tables.write(readme) == 0 and tables.check(readme) == 0
    text = readme.read_text(encoding="utf-8")
    assert text.startswith("before\n") and text.endswith("after\n") and "| Tool calling |" in text


def test_a_table_without_rows_is_a_fault(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("<!-- results:nothing -->\n<!-- /results -->\n", encoding="utf-8")
    assert tables.check(readme) == 1

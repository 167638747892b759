"""What is documented runs: every Python block, and every command, of README.md and docs/."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from factorloom.api.cli.command import run as command_line

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")


def blocks(page: Path, kind: str) -> list[str]:
    return [body for word, body in BLOCK.findall(page.read_text()) if word == kind]


def pages_with(kind: str) -> list[Path]:
    return [page for page in PAGES if blocks(page, kind)]


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def run(command: list[str], folder: Path) -> None:
    """Run a command as a process of its own."""
    folders = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    result = subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PATH": folders, "COLUMNS": "120"},
    )
    assert result.returncode == 0, f"{shlex.join(command)[:200]}\n{result.stdout}\n{result.stderr}"


@pytest.mark.parametrize("page", pages_with("python"), ids=name_of)
def test_python_blocks_run_top_to_bottom(page: Path, tmp_path: Path) -> None:
    script = tmp_path / "page.py"
    script.write_text("\n".join(blocks(page, "python")))
    run([sys.executable, "-W", "error", str(script)], tmp_path)


@pytest.mark.parametrize("page", pages_with("console"), ids=name_of)
def test_commands_run_in_order(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first as a shell runs it, and what is not ours; the others in this process, which has imported all."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    for block in blocks(page, "console"):
        for place, command in enumerate(re.findall(r"^\$ (.*(?:\\\n.*)*)", block, re.MULTILINE)):
            name, *arguments = shlex.split(command.replace("\\\n", ""))
            if place and name == "factorloom":
                assert command_line(arguments) == 0, command
            else:
                run(["bash", "-c", command], tmp_path)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text()):
        assert (page.parent / target).exists(), f"{name_of(page)} links to {target}"

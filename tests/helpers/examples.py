"""The fenced blocks of the documents, and a reader who runs them."""

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from usmicro.cli import main

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
COPIED_SCANS = {
    "sample_data": ("mass_regions.dcm",),
    "scans": ("mass_linear.png", "mass_regions.dcm"),
}
"""Sample scans that each folder of the reader gets; few, so that the examples run quickly."""
MODEL_SOURCE = """
import numpy as np


def my_model(frame):
    probability = np.zeros(frame.shape[:2])
    probability[200:300, 200:300] = 1
    return probability
"""
"""Python file with the network of a user that the documents mention."""
INSTALL_COMMAND = "python3 -m venv "
"""Start of the blocks that install usmicro; they are not run here, but by .ci/run."""


@dataclass
class Block:
    """A fenced block of a document."""

    language: str
    text: str
    line: int
    """Line of the document in which the block begins, from 1."""

    @property
    def commands(self) -> list[str]:
        """The commands of a shell block; a backslash at the end of a line continues it."""
        if self.language == "powershell":
            commands = self.text.replace("\\", "/").replace(";", "\n").splitlines()
            return [command.strip() for command in commands]
        return self.text.replace("\\\n", " ").splitlines()


def blocks(document: Path) -> list[Block]:
    """Return the fenced blocks of a document."""
    text = document.read_text(encoding="utf-8")
    matches = re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [Block(match[1], match[2], text.count("\n", 0, match.start()) + 1) for match in matches]


@dataclass
class Example:
    """A block that was run."""

    block: Block
    printed: str
    shown: str | None
    """Output that the document shows below the block."""


class Reader:
    """Runs the examples of documents in a folder."""

    def __init__(self, folder: Path, names: dict[str, object]) -> None:
        self.folder = folder
        self.names = names
        """Global names of the Python blocks."""

    def run(self, block: Block) -> str:
        """Run a shell or Python block and return what it printed.

        A Python block that begins with `# NAME.py` is written to that file instead.
        """
        if block.language == "sh":
            return "".join(self.run_command(command) for command in block.commands)
        if file := re.match(r"# (\w+\.py)\n", block.text):
            (self.folder / file[1]).write_text(block.text, encoding="utf-8")
            return ""
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(compile(block.text, f"line {block.line}", "exec"), self.names)
        return printed.getvalue()

    def run_command(self, command: str) -> str:
        """Run a shell command and return what it printed.

        `usmicro` runs in this process, which is quicker.
        """
        words = shlex.split(command, comments=True)
        if words[:1] == ["usmicro"] and ">" not in words:
            with (
                contextlib.redirect_stdout(io.StringIO()) as printed,
                contextlib.redirect_stderr(io.StringIO()) as errors,
            ):
                status = main(words[1:])
            assert status == 0, f"{command}: {errors.getvalue()}"
            return printed.getvalue()
        # without an activated environment, usmicro lies beside its Python
        folder_of_python = Path(sys.executable).parent
        path = f"{folder_of_python}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],
            cwd=self.folder,
            env=os.environ | {"PATH": path},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout

    def read(self, document: Path, languages: tuple[str, ...] = ("sh", "python")) -> list[Example]:
        """Run the blocks of a document in order, except those that install usmicro."""
        all_blocks = blocks(document)
        return [
            Example(
                block,
                self.run(block),
                below.text if below is not None and below.language == "text" else None,
            )
            for block, below in zip(all_blocks, [*all_blocks[1:], None], strict=True)
            if block.language in languages and not block.text.startswith(INSTALL_COMMAND)
        ]

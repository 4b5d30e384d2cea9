"""The page of settings: `python -m benchmarks.documents.settings docs/settings.md`.

It takes a second and needs no data.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from benchmarks.markdown import table
from usmicro.settings import Settings, limits

INTRODUCTION = """\
# Settings

Every setting has a default. `usmicro settings` prints all of them as TOML. Change single settings
with `--set`, or store them in a file:

```sh
usmicro settings > settings.toml
usmicro run sample_data --out results-settings --settings settings.toml --set shadow.length=8
```

`--set` overrides the file. A file may hold any part of the settings. An unknown name, a value of
the wrong type or a value outside its limits ends the command before anything is computed.
`run.json` records the settings of a run. In Python:

```python
from dataclasses import replace

from usmicro.settings import FociSettings, Settings, read_settings

settings = Settings(foci=FociSettings(minimum_confidence=0.2))
settings = replace(settings, shadow=replace(settings.shadow, length=8.0))
settings = read_settings(None, ["foci.minimum_confidence=0.2", "shadow.length=8"])  # the same
```

Lengths in mm hold at every pixel spacing. Without a pixel spacing they are scaled by the usual
depth of a breast scan.

*This page is written by `python -m benchmarks.documents.settings docs/settings.md`.*
"""


def page() -> str:
    """Return the page as Markdown, with a section for each group and a row for each setting."""
    settings = Settings()
    parts = [INTRODUCTION]
    for group in fields(settings):
        values = getattr(settings, group.name)
        rows = [
            (
                f"`{group.name}.{item.name}`",
                # JSON writes numbers, strings and booleans as TOML does
                f"`{json.dumps(getattr(values, item.name))}`",
                item.metadata["unit"],
                limits(item.metadata),
                item.metadata["says"],
            )
            for item in fields(values)
        ]
        meaning = " ".join((type(values).__doc__ or "").split())
        columns = ("setting", "default", "unit", "limits", "meaning")
        parts.append(f"## {group.name}\n\n{meaning}\n\n{table(columns, rows)}\n")
    return "\n".join(parts)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.documents.settings", description="Write the page of settings."
    )
    parser.add_argument("file", type=Path, metavar="FILE.md")
    parser.parse_args(arguments).file.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

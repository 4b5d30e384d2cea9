"""Groups of images given by the user: a table with a row for each image, patient or study."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from usmicro.errors import UsageError
from usmicro.loading.mask_names import composed
from usmicro.loading.user_table import path_in_table, read_user_table

_KEYS = ("image", "patient", "study")
"""Columns that say what is in a group; a table has one of them."""
_COLUMNS = "image, group or patient, group or study, group"


@dataclass(frozen=True, slots=True)
class Groups:
    """The group of each image."""

    of_image: Mapping[str, str]
    """Group by the name of the image; images without a group are left out."""
    names: tuple[str, ...] = ()
    """All groups that have an image, sorted."""
    unused: tuple[str, ...] = ()
    """Images, patients or studies of the table that match no image, sorted."""
    without: tuple[str, ...] = ()
    """Names of the images that are in no group, sorted."""


def read_groups(
    path: str | Path,
    images: Iterable[str],
    *,
    patients: Mapping[str, str] | None = None,
    option: str = "--group",
) -> Groups:
    """Read a CSV table of groups, and find the group of each image.

    The table has the column `group` and one of `image`, `patient` and `study`. An image is given by
    its path below INPUT, or by its file name if no other image has it. A patient or study is given
    by the name of its folder, or by the path of the folder below INPUT; all images below the folder
    are in the group. Other columns are ignored.

    Parameters
    ----------
    path : path
    images : iterable of str
        Names of the images of a run.
    patients : mapping, optional
        Patient of images, by their names, from another source. The column `patient` then also
        gives these.
    option : str
        Beginning of error messages.

    Returns
    -------
    Groups

    Raises
    ------
    UsageError
        If the table cannot be read, lacks a column, has an empty cell or two rows for the same
        image, gives a file name that several images have, puts an image in two groups, or matches
        no image.
    """
    source, names = f"{option} {path}", sorted(images)
    key, table = _read_table(Path(path), source)
    index = _index_of(names, key, patients or {})
    of_image: dict[str, str] = {}
    unused = []
    for member, (where, group) in table.items():
        found = index.get(member, [])
        if not found:
            unused.append(member)
        if key == "image" and len(found) > 1:
            raise UsageError(
                f"{where}: {len(found)} images have the file name {member}, such as {found[0]} and "
                f"{found[1]}; give the path below INPUT"
            )
        for image in found:
            if of_image.setdefault(image, group) != group:
                raise UsageError(
                    f"{where}: {image} is in the group {group} and also in {of_image[image]}, "
                    "expected one group; correct the table"
                )
    if not of_image:
        example = f"; the images are such as {names[0]}" if names else ""
        raise UsageError(
            f"{source}: expected the {key} of at least one image, "
            f"found none that is in this run{example}"
        )
    return Groups(
        of_image,
        tuple(sorted(set(of_image.values()))),
        tuple(sorted(unused)),
        tuple(name for name in names if name not in of_image),
    )


def _read_table(path: Path, source: str) -> tuple[str, dict[str, tuple[str, str]]]:
    """Read the table; return its key column, and the place and group of each row by its key."""
    content = read_user_table(path, source, f"a UTF-8 CSV file with the columns {_COLUMNS}")
    keys = [key for key in _KEYS if key in content.columns]
    if len(keys) != 1 or "group" not in content.columns:
        found = ", ".join(content.columns) or "none"
        raise UsageError(f"{source}: expected the columns {_COLUMNS}, found {found}")
    key = keys[0]
    table: dict[str, tuple[str, str]] = {}
    for where, row in content.rows:
        member, group = path_in_table(row[key]), row["group"]
        if not member or not group:
            raise UsageError(
                f"{where}: expected a value in {key} and group, found an empty cell; "
                "fill it in or remove the row"
            )
        if member in table:
            raise UsageError(
                f"{where}: the {key} {member} has two rows, expected one; remove one of them"
            )
        table[member] = (where, group)
    return key, table


def _index_of(
    names: Iterable[str], key: str, patients: Mapping[str, str]
) -> Mapping[str, list[str]]:
    """Return the images that a cell of the key column may mean."""
    index: dict[str, list[str]] = {}
    for name in names:
        path = PurePosixPath(composed(name))
        if key == "image":
            cells = {path.as_posix(), path.name}
        else:
            folders = path.parts[:-1]
            cells = {*folders, *("/".join(folders[: i + 1]) for i in range(len(folders)))}
        if key == "patient" and patients.get(name):
            cells.add(composed(patients[name]))
        for cell in cells:
            index.setdefault(cell, []).append(name)
    if key == "image":  # the path of an image comes before the file name of others
        index |= {path: [name] for name in names for path in [composed(name)]}
    return index

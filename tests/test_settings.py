import tomllib
from dataclasses import fields, is_dataclass

import pytest

from usmicro.errors import SettingsError
from usmicro.settings import Settings, read_settings, to_toml, with_values


def every_setting():
    return [
        (group.name, item)
        for group in fields(Settings)
        for item in fields(getattr(Settings(), group.name))
    ]


def other_value(item, value):
    """A value that differs from the default and keeps to the limits."""
    least, most = item.metadata["least"], item.metadata["most"]
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1 if most is None or value + 1 <= most else value - 1
    if isinstance(value, float):
        if most is not None:
            return (value + most) / 2 if value < most else (value + (least or 0.0)) / 2
        return value + 1.25
    return value


def test_defaults_are_written_and_read_as_toml(tmp_path):
    (tmp_path / "s.toml").write_text(to_toml(Settings()), encoding="utf-8")
    assert read_settings(tmp_path / "s.toml") == Settings()


def test_other_values_are_written_and_read_as_toml(tmp_path):
    changes: dict[str, dict[str, object]] = {}
    for group, item in every_setting():
        changes.setdefault(group, {})[item.name] = other_value(item, item.default)
    changed = with_values(Settings(), changes, source="test")
    assert changed != Settings()
    (tmp_path / "s.toml").write_text(to_toml(changed), encoding="utf-8")
    assert read_settings(tmp_path / "s.toml") == changed


def test_every_setting_has_a_meaning():
    groups = tomllib.loads(to_toml(Settings()))
    for group, item in every_setting():
        assert item.metadata["says"], f"{group}.{item.name}"
        assert item.name in groups[group]
    assert all(is_dataclass(getattr(Settings(), group.name)) for group in fields(Settings))


def test_assignments_override_the_file(tmp_path):
    (tmp_path / "s.toml").write_text("[foci]\nsmallest = 0.3\nlargest = 2.5\n", encoding="utf-8")
    settings = read_settings(
        tmp_path / "s.toml", ["foci.smallest=0.4", "loading.keep_truncated = true"]
    )
    assert (settings.foci.smallest, settings.foci.largest, settings.loading.keep_truncated) == (
        0.4,
        2.5,
        True,
    )


def test_the_confidence_is_left_to_the_number_of_false_positives_unless_it_is_given():
    assert Settings().foci.minimum_confidence < 0 < Settings().foci.false_positives_per_image
    assert Settings().foci.models == ""
    given = read_settings(None, ["foci.minimum_confidence=0", "foci.models='some folder'"]).foci
    assert (given.minimum_confidence, given.models) == (0, "some folder")


def test_a_whole_number_is_accepted_for_a_decimal():
    assert read_settings(None, ["foci.largest=2"]).foci.largest == 2


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("foci.smalest=0.4", "no setting foci.smalest"),
        ("focus.smallest=0.4", "no group of settings 'focus'"),
        ("foci.smallest", "expected GROUP.NAME=VALUE"),
        ("smallest=0.4", "expected GROUP.NAME=VALUE"),
        ("foci.smallest=-1", "expected at least"),
        ("foci.smallest=nan", "expected at least"),
        ("foci.smallest=big", "expected float"),
        ("loading.keep_truncated=1", "expected bool"),
        ("loading.largest_image=true", "expected int"),
        ("foci.minimum_confidence=1.5", "at most 1"),
        ("foci.minimum_confidence=-1.5", "at least -1"),
        ("foci.minimum_confidence=nan", "expected at least"),
        ("foci.false_positives_per_image=0", "at least 0.05"),
        ("foci.false_positives_per_image=21", "at most 20"),
        ("foci.models=3", "expected str"),
    ],
)
def test_a_wrong_assignment_is_refused(assignment, message):
    with pytest.raises(SettingsError, match=message):
        read_settings(None, [assignment])


@pytest.mark.parametrize("content", ["[foci", "foci = 3", "[foci]\nsmalest = 1", b"\xff\xfe"])
def test_a_wrong_file_is_refused_with_its_name(tmp_path, content):
    file = tmp_path / "s.toml"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(SettingsError, match=r"s\.toml"):
        read_settings(file)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(SettingsError, match=r"gone\.toml"):
        read_settings(tmp_path / "gone.toml")

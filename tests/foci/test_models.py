import json
from dataclasses import replace

import pytest

import usmicro
from usmicro.anatomy.ducts import NETWORK as DUCTS
from usmicro.errors import SettingsError
from usmicro.foci.models import (
    CURVE_FILE,
    LOGISTIC_FILE,
    NETWORK_FILE,
    PACKAGE_MODELS,
    check_focus_models,
    read_focus_models,
)
from usmicro.foci.reasons import GROUPS
from usmicro.numerics.logistic import Logistic, write_models
from usmicro.settings import FociSettings, Settings

CURVE = ((0.1, 0.8), (1.0, 0.2), (10.0, 0.05))
MODELS = {
    "alone": Logistic(-1.0, {"line": -2.0}),
    "focus": Logistic(-2.0, {name: 0.1 for names in GROUPS.values() for name in names}),
    "image": Logistic(1.0, {"highest_log_odds": 0.5}),
}


def write_folder(folder, *, curve=CURVE, network=True, **models):
    """Write a folder of models; `models` replace those of MODELS."""
    folder.mkdir(exist_ok=True)
    write_models(MODELS | models, folder / LOGISTIC_FILE)
    (folder / CURVE_FILE).write_text(json.dumps(curve), encoding="utf-8")
    if network:
        (folder / NETWORK_FILE).write_bytes((PACKAGE_MODELS / NETWORK_FILE).read_bytes())
    return folder


def test_the_models_of_the_package_are_complete():
    models = read_focus_models()
    assert {file.parent for file in models.files} == {PACKAGE_MODELS}
    assert all(file.is_file() for file in models.files)
    assert models.network in models.files
    assert set(models.focus.means) == set(models.focus.weights)
    check_focus_models("")


def test_a_folder_is_read_as_it_was_written(tmp_path):
    models = read_focus_models(str(write_folder(tmp_path / "own")))
    assert {name: getattr(models, name) for name in MODELS} == MODELS
    assert models.curve == CURVE
    assert models.network == tmp_path / "own" / NETWORK_FILE
    check_focus_models(str(tmp_path / "own"))


def test_each_folder_has_its_own_models(tmp_path):
    one = read_focus_models(str(write_folder(tmp_path / "one")))
    other = read_focus_models(
        str(write_folder(tmp_path / "other", image=Logistic(3.0, {"highest_log_odds": 0.1})))
    )
    assert one.image.intercept == 1.0
    assert other.image.intercept == 3.0
    assert read_focus_models(str(tmp_path / "one")) is one


@pytest.mark.parametrize("file", [LOGISTIC_FILE, CURVE_FILE, NETWORK_FILE])
def test_a_missing_file_is_refused_with_the_name_of_the_folder(tmp_path, file):
    folder = write_folder(tmp_path / "own")
    (folder / file).unlink()
    with pytest.raises(SettingsError) as raised:
        check_focus_models(str(folder))
    assert str(folder) in str(raised.value)


def test_a_missing_folder_is_refused_with_its_name(tmp_path):
    with pytest.raises(SettingsError, match=r"foci\.models") as raised:
        read_focus_models(str(tmp_path / "missing"))
    assert str(tmp_path / "missing") in str(raised.value)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        (LOGISTIC_FILE, b"{"),
        (LOGISTIC_FILE, b""),
        (LOGISTIC_FILE, b"\xff\xfe"),
        (LOGISTIC_FILE, b"{}"),
        (LOGISTIC_FILE, b'{"alone": 3, "focus": 3, "image": 3}'),
        (LOGISTIC_FILE, b'{"focus": {"intercept": 0, "weights": {}}}'),
        (LOGISTIC_FILE, b'{"focus": {"offset": 0, "weights": {}}}'),
        (CURVE_FILE, b"[[1, 0.2"),
        (CURVE_FILE, b"3"),
        (CURVE_FILE, b"[1, 2]"),
        (CURVE_FILE, b"[[1, 0.2, 3]]"),
        (CURVE_FILE, b'[["one", "half"]]'),
        (CURVE_FILE, b"[[null, null]]"),
        (LOGISTIC_FILE, b"[]"),
        (CURVE_FILE, b"[]"),
        (CURVE_FILE, b"[[0, 0.2], [1, 0.1]]"),
        (CURVE_FILE, b"[[1, 0.2], [2, 0]]"),
        (CURVE_FILE, b"[[1, 0.2], [2, NaN]]"),
        (CURVE_FILE, b"[[2, 0.2], [1, 0.1]]"),
        (CURVE_FILE, b"[[1, 0.1], [2, 0.2]]"),
        (NETWORK_FILE, b"no network"),
    ],
)
def test_a_damaged_file_is_refused_with_the_name_of_the_folder(tmp_path, file, content):
    folder = write_folder(tmp_path / "own")
    (folder / file).write_bytes(content)
    with pytest.raises(SettingsError) as raised:
        check_focus_models(str(folder))
    assert str(folder) in str(raised.value)


def test_a_network_for_another_purpose_is_refused(tmp_path):
    folder = write_folder(tmp_path / "own")
    (folder / NETWORK_FILE).write_bytes(DUCTS.read_bytes())
    with pytest.raises(SettingsError) as raised:
        check_focus_models(str(folder))
    assert str(folder) in str(raised.value)


def test_a_run_with_an_unusable_folder_is_refused_at_once(tmp_path, sample_data):
    settings = replace(Settings(), foci=FociSettings(models=str(tmp_path / "missing")))
    with pytest.raises(SettingsError, match="missing"):
        usmicro.run(sample_data / "mass_linear.png", out=tmp_path / "out", settings=settings)
    assert not (tmp_path / "out").exists()

import pickle
from dataclasses import replace

import numpy as np
import pytest

from training.focus_examples import (
    ALL,
    FOLDS,
    MARKED,
    NAMES,
    SIMULATED,
    WITHOUT_FOLD,
    WITHOUT_HOSPITAL,
    ImageCandidates,
    is_held_out,
    learns_from,
    models_folder,
    part_file,
    read_candidates,
    stacked,
    work_file,
)
from training.marked import SOURCES
from usmicro.foci.models import PACKAGE_MODELS
from usmicro.foci.patches import PLANES, SIZE

BUSI = "busi"


def image_of(is_focus, features=None, *, group="patient", position=None, counts=None, **fields):
    """Candidates of an image; their patches are empty."""
    count = len(is_focus)
    return ImageCandidates(
        name=group,
        source=fields.pop("source", BUSI),
        group=group,
        features=features or {"a": np.zeros(count)},
        patches=np.zeros((count, PLANES, SIZE, SIZE), np.float16),
        is_focus=np.array(is_focus, float),
        foci=fields.pop("foci", int(np.nansum(is_focus))),
        position=np.zeros((count, 2)) if position is None else position,
        counts=[count] if counts is None else counts,
        **{"known": True, "read": True, "further": False, "normal": False, **fields},
    )


@pytest.fixture(scope="module")
def images():
    """Images of 20 patients of each data set, and simulated ones."""
    return [
        image_of([0], group=f"{source} {number}", source=source)
        for source in (*SOURCES, SIMULATED)
        for number in range(20)
    ]


def test_the_patients_of_each_data_set_are_spread_over_the_folds(images):
    for source in SOURCES:
        folds = {image.fold for image in images if image.source == source}
        assert folds <= set(range(FOLDS))
        assert len(folds) > 2


def test_images_of_one_patient_have_one_fold(images):
    for image in images:
        assert replace(image, name="another").fold == image.fold


def test_a_real_image_is_held_out_from_its_hospital_and_its_fold_alone(images):
    for image in images:
        held_out = {name for name in NAMES if is_held_out(name, image)}
        of_hospital = set() if image.source == SIMULATED else {f"without-{image.source}"}
        assert held_out == {WITHOUT_FOLD[image.fold], *of_hospital}
        assert held_out <= {*WITHOUT_FOLD, *WITHOUT_HOSPITAL}


def test_models_learn_from_known_images_that_are_not_held_out(images):
    for image in images:
        assert learns_from(ALL, image)
        for name in NAMES:
            assert learns_from(name, image) != is_held_out(name, image)
            assert not learns_from(name, replace(image, known=False))


def test_no_patient_is_on_both_sides_of_a_split(images):
    for name in (*WITHOUT_FOLD, *WITHOUT_HOSPITAL):
        learned = {image.group for image in images if learns_from(name, image)}
        held_out = {image.group for image in images if is_held_out(name, image)}
        assert learned
        assert held_out
        assert not learned & held_out


def test_the_context_is_that_of_the_own_view():
    random = np.random.default_rng(2)
    position, alone = random.uniform(0, 6, (9, 2)), random.uniform(0, 1, 9)
    both = image_of([0] * 9, position=position, counts=[4, 5]).context(alone)
    for part in (slice(0, 4), slice(4, 9)):
        own = image_of([0] * len(alone[part]), position=position[part]).context(alone[part])
        for name, values in own.items():
            np.testing.assert_array_equal(both[name][part], values)


def test_views_without_candidates_have_no_context():
    position, alone = np.array([[1.0, 2.0]]), np.array([0.5])
    with_empty = image_of([0], position=position, counts=[0, 1, 0]).context(alone)
    for name, values in image_of([0], position=position).context(alone).items():
        np.testing.assert_array_equal(with_empty[name], values)


def test_features_are_joined_in_the_order_of_the_images():
    tables = [{"a": np.array([1.0, 2.0]), "b": np.zeros(2)}, {"b": np.ones(1), "a": np.ones(1)}]
    joined = stacked(tables, ["a", "b"])
    assert list(joined) == ["a", "b"]
    np.testing.assert_array_equal(joined["a"], [1, 2, 1])
    np.testing.assert_array_equal(joined["b"], [0, 0, 1])


def test_each_name_has_its_own_files(tmp_path):
    files = [work_file(tmp_path, name) for name in NAMES]
    assert len(set(files)) == len(NAMES)
    folders = [models_folder(name) for name in (ALL, *WITHOUT_HOSPITAL)]
    assert folders[0] == PACKAGE_MODELS
    assert len(set(folders)) == len(folders)
    assert {folder.parent.name for folder in folders[1:]} == {"networks"}


def test_stored_candidates_are_read_back(tmp_path):
    images = [image_of([0, 1, np.nan], group=f"p{i}", calcified=True) for i in range(3)]
    part_file(tmp_path, MARKED).write_bytes(pickle.dumps(images))
    found = read_candidates(tmp_path, MARKED)
    assert [image.group for image in found] == [image.group for image in images]
    np.testing.assert_array_equal(found[0].is_focus, images[0].is_focus)

import json
from dataclasses import replace

import numpy as np
import pytest

from training.held_out import (
    ALL,
    HELD_OUT_FOLD,
    HOSPITALS,
    NAMES,
    NETWORKS,
    WITHOUT_FOLD,
    learns_from,
    network_without,
    write_held_out,
    write_trained_on,
)
from training.outlines import PHANTOM
from training.pictures import Picture
from usmicro.evaluation.datasets import held_out_network, read_held_out_networks

NOTHING = np.zeros((4, 4), np.bool_)
PICTURE = Picture("one", HOSPITALS[0], 2, 0.1, NOTHING.astype(np.uint8), ~NOTHING, NOTHING, NOTHING)


def test_one_network_learns_from_everything():
    for source in (*HOSPITALS, PHANTOM):
        for fold in range(1, 6):
            assert learns_from(ALL, replace(PICTURE, source=source, fold=fold))


@pytest.mark.parametrize("hospital", HOSPITALS)
def test_a_network_does_not_learn_from_the_hospital_that_it_is_measured_on(hospital):
    name = network_without(hospital)
    assert name in NAMES
    assert not learns_from(name, replace(PICTURE, source=hospital))
    others = [other for other in (*HOSPITALS, PHANTOM) if other != hospital]
    assert all(learns_from(name, replace(PICTURE, source=other)) for other in others)


def test_one_network_does_not_learn_from_a_fold():
    assert network_without(PHANTOM) == WITHOUT_FOLD
    for fold in range(1, 6):
        learns = learns_from(WITHOUT_FOLD, replace(PICTURE, fold=fold))
        assert learns == (fold != HELD_OUT_FOLD)


def test_the_names_of_the_training_images_are_written_by_hospital(tmp_path, monkeypatch):
    file = tmp_path / "trained_on.json"
    monkeypatch.setattr("training.held_out.TRAINED_ON", file)
    first, second, *_ = HOSPITALS
    write_trained_on(
        replace(PICTURE, source=source, image=image)
        for source, image in ((first, "b"), (second, "c"), (first, "a"), (PHANTOM, "d"))
    )
    written = json.loads(file.read_text())
    assert written == {hospital: [] for hospital in HOSPITALS} | {first: ["a", "b"], second: ["c"]}


def test_the_file_names_the_networks_that_are_trained(tmp_path, monkeypatch):
    monkeypatch.setattr("training.held_out.NETWORKS", tmp_path)
    *trained, missing = HOSPITALS
    for hospital in trained:
        (tmp_path / f"masses-{network_without(hospital)}.onnx").touch()
    write_held_out()
    networks = read_held_out_networks(tmp_path)
    for hospital in trained:
        file = held_out_network(networks, hospital, "any image")
        assert file is not None
        assert file.name == f"masses-{network_without(hospital)}.onnx"
    assert held_out_network(networks, missing, "any image") is None


def test_every_network_that_the_file_of_the_repository_names_exists():
    networks = read_held_out_networks(NETWORKS)
    assert networks
    assert all(file.is_file() for file in networks.values())

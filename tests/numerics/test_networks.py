from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from usmicro.anatomy.ducts import NETWORK as DUCTS
from usmicro.anatomy.masses import NETWORK as MASSES
from usmicro.anatomy.network import CHANNELS
from usmicro.errors import SettingsError
from usmicro.numerics.networks import check_network, run_network


@pytest.fixture
def image():
    return np.random.default_rng(3).uniform(-1, 1, (1, CHANNELS, 128, 128)).astype(np.float32)


@pytest.mark.parametrize("network", [MASSES, DUCTS], ids=["masses", "ducts"])
def test_both_engines_give_the_same_outputs(image, network):
    # the engines give several outputs in different orders
    classic, other = (
        sorted(run_network(network, image, plain=plain), key=np.size) for plain in (True, False)
    )
    for one, two in zip(classic, other, strict=True):
        np.testing.assert_allclose(one, two, atol=1e-3)


def test_outputs_are_not_overwritten_by_the_next_run(image):
    (before, *_) = run_network(DUCTS, image)
    kept = before.copy()
    (after, *_) = run_network(DUCTS, -image)
    np.testing.assert_array_equal(before, kept)
    assert np.abs(after - before).max() > 1e-3


def test_an_array_that_is_not_contiguous_is_accepted(image):
    mirrored = image[..., ::-1]
    for one, other in zip(
        run_network(DUCTS, mirrored), run_network(DUCTS, mirrored.copy()), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_several_threads_get_the_outputs_of_their_own_inputs(image):
    inputs = [image * factor for factor in (1, -1, 0.5, 0)] * 2
    expected = [run_network(DUCTS, array)[0] for array in inputs]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda array: run_network(DUCTS, array)[0], inputs))
    np.testing.assert_array_equal(found, expected)


def test_a_network_file_that_is_replaced_is_read_again(image, tmp_path):
    file = tmp_path / "own.onnx"
    file.write_bytes(DUCTS.read_bytes())
    (ducts, *_) = run_network(file, image)
    np.testing.assert_array_equal(ducts, run_network(DUCTS, image)[0])
    file.write_bytes(MASSES.read_bytes())
    for one, other in zip(run_network(file, image), run_network(MASSES, image), strict=True):
        np.testing.assert_array_equal(one, other)
    file.write_bytes(b"no network")
    for use in (check_network, lambda changed: run_network(changed, image)):
        with pytest.raises(SettingsError, match=r"own\.onnx"):
            use(file)


def test_a_file_that_is_no_network_is_named(image, tmp_path):
    missing, text = tmp_path / "missing.onnx", tmp_path / "text.onnx"
    text.write_text("no network")
    for file, found in ((missing, "no such file"), (text, "cannot read"), (tmp_path, "own|read")):
        for use in (check_network, lambda file: run_network(file, image, plain=True)):
            with pytest.raises(SettingsError, match=found) as raised:
                use(file)
            assert str(file) in str(raised.value)


def test_a_network_for_other_inputs_is_named_with_the_shape(image):
    check_network(DUCTS)
    # the engine that is new in OpenCV 5 does not check the number of planes
    with pytest.raises(SettingsError, match=r"inputs of shape \(1, 2, 128, 128\)") as raised:
        run_network(DUCTS, image[:, :2], plain=True)
    assert str(DUCTS) in str(raised.value)
    # a refused input does no harm
    assert all(np.isfinite(out).all() for out in run_network(DUCTS, image, plain=True))

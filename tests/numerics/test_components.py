import numpy as np

from usmicro.numerics.components import label_components


def test_diagonal_neighbours_belong_to_one_component():
    mask = np.array([[1, 0, 0, 0], [0, 1, 0, 1], [0, 0, 0, 1]], bool)
    labels = label_components(mask)
    np.testing.assert_array_equal(labels, [[1, 0, 0, 0], [0, 1, 0, 2], [0, 0, 0, 2]])
    assert labels.dtype == np.int32

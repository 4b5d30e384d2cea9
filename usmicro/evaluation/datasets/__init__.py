"""Read the public data sets that usmicro is trained and measured on.

The programs of `training` and of `benchmarks` both read these data sets, and neither may import
the other, so the readers are part of the package. They are also useful to users: whoever has
downloaded a data set can read the pixel size and the reference labels of each image with them, for
example to compare another detector with usmicro on the same images.
"""

from usmicro.evaluation.datasets.held_out import read_held_out_networks, write_held_out_networks
from usmicro.evaluation.datasets.images import (
    BREAST_LESIONS_USG,
    BUS_BRA,
    ECHOGENIC_FOCI_MARKS,
    FOLDS,
    LabelledImage,
    read_breast_lesions_usg,
    read_bus_bra,
    read_echogenic_foci_marks,
)
from usmicro.evaluation.datasets.masks import (
    LESION_MARGIN_MM,
    Rectangle,
    largest_free_part,
    read_label_image,
    read_mask,
)
from usmicro.evaluation.datasets.simulated import targets_of_phantom

__all__ = [
    "BREAST_LESIONS_USG",
    "BUS_BRA",
    "ECHOGENIC_FOCI_MARKS",
    "FOLDS",
    "LESION_MARGIN_MM",
    "LabelledImage",
    "Rectangle",
    "largest_free_part",
    "read_breast_lesions_usg",
    "read_bus_bra",
    "read_echogenic_foci_marks",
    "read_held_out_networks",
    "read_label_image",
    "read_mask",
    "targets_of_phantom",
    "write_held_out_networks",
]

"""Read the public data sets that usmicro is trained and measured on.

The programs of `training` and of `benchmarks` both read these data sets, and neither may import
the other, so the readers are part of the package. They are also useful to users: whoever has
downloaded a data set can read the pixel size and the reference labels of each image with them, for
example to compare another detector with usmicro on the same images.
"""

from usmicro.evaluation.datasets.held_out import (
    held_out_network,
    read_held_out_networks,
    write_held_out_networks,
)
from usmicro.evaluation.datasets.images import (
    BREAST_LESIONS_USG,
    BUS_BRA,
    BUS_UCLM,
    BUSI,
    FOLDS,
    LabelledImage,
    read_breast_lesions_usg,
    read_bus_bra,
    read_bus_uclm,
    read_busi,
)
from usmicro.evaluation.datasets.marks import (
    ECHOGENIC_FOCI_MARKS,
    VISUAL_READINGS,
    read_echogenic_foci_marks,
    read_readings,
    read_visual_readings,
)
from usmicro.evaluation.datasets.masks import (
    LESION_MARGIN_MM,
    Rectangle,
    intersection_over_union,
    largest_free_part,
    read_label_image,
    read_mask,
    rectangle_area,
)
from usmicro.evaluation.datasets.simulated import targets_of_phantom
from usmicro.evaluation.datasets.twins import twin_groups

__all__ = [
    "BREAST_LESIONS_USG",
    "BUSI",
    "BUS_BRA",
    "BUS_UCLM",
    "ECHOGENIC_FOCI_MARKS",
    "FOLDS",
    "LESION_MARGIN_MM",
    "VISUAL_READINGS",
    "LabelledImage",
    "Rectangle",
    "held_out_network",
    "intersection_over_union",
    "largest_free_part",
    "read_breast_lesions_usg",
    "read_bus_bra",
    "read_bus_uclm",
    "read_busi",
    "read_echogenic_foci_marks",
    "read_held_out_networks",
    "read_label_image",
    "read_mask",
    "read_readings",
    "read_visual_readings",
    "rectangle_area",
    "targets_of_phantom",
    "twin_groups",
    "write_held_out_networks",
]

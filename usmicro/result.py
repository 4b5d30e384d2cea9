"""Result: the objects that a caller of `usmicro.analyze` gets."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from usmicro.labelling.clusters import measure_clusters
from usmicro.model.arrays import ByteImage, Frame
from usmicro.model.findings import Cluster, Focus, Mass, Summary
from usmicro.model.scan import Scan
from usmicro.settings import Settings

if TYPE_CHECKING:
    import pandas

Row = TypeVar("Row", bound=Focus | Mass | Cluster)


class Table(list[Row], Generic[Row]):
    """A list of findings that turns into rows or, with pandas installed, into a data frame."""

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        super().__init__(rows)

    def to_rows(self) -> list[dict[str, Any]]:
        """One dictionary a finding; None where not measured."""
        return [asdict(row) for row in self]

    def to_frame(self) -> pandas.DataFrame:
        """A pandas data frame; needs pandas, which usmicro does not install."""
        import pandas

        return pandas.DataFrame(self.to_rows())

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        from usmicro.writing.notebook import rows_html

        return rows_html(self.to_rows()) or "<p>No rows.</p>"


@dataclass(frozen=True)
class Analysis:
    """What usmicro says of one scan."""

    scan: Scan
    settings: Settings
    foci: Table[Focus]
    """Surest first; those that reach `foci.minimum_confidence`."""
    masses: Table[Mass]
    summary: Summary
    frame: int
    """The key frame, whose foci are the surest: overlay and masks show it."""
    image: Frame = field(repr=False)
    """The key frame's pixels."""
    labels: ByteImage = field(repr=False)
    """The key frame's anatomy at input size: 0 tissue, 1 mass, 2 duct, 3 nonmass area, 255 not tissue."""
    notes: tuple[str, ...] = ()
    """What a reader of the results must know: a fallback taken, a frame lost."""
    seconds: dict[str, float] = field(default_factory=dict, repr=False, compare=False)
    """Time spent, by stage."""

    @property
    def clusters(self) -> Table[Cluster]:
        """The clusters that the foci form, by number."""
        return Table(measure_clusters(self.foci))

    def overlay(self) -> ByteImage:
        """The key frame with its findings drawn, RGB."""
        from usmicro.writing.overlays import draw

        return draw(self)

    def __repr__(self) -> str:
        from usmicro.writing.notebook import analysis_text

        return analysis_text(self)

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        from usmicro.writing.notebook import analysis_html

        return analysis_html(self)

    def _repr_png_(self) -> bytes:
        """What a program that shows no HTML shows."""
        from usmicro.writing import encode_png

        return encode_png(self.overlay())

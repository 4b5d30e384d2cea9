"""Write reviews as report.html exports them."""

from usmicro.evaluation.review_cells import REVIEW_COLUMNS


def write_review(path, *rows, columns=REVIEW_COLUMNS, end="\n"):
    """Write a review; each row is a dictionary of its cells that are not empty."""
    lines = [",".join(columns), *(",".join(str(r.get(c, "")) for c in columns) for r in rows)]
    path.write_bytes(("\n".join(lines) + end).encode())
    return path


def focus_review(number, x, y, decision="accepted", image="a.png", **cells):
    """Return a row about a focus."""
    place = {"image": image, "frame": 0, "focus": number, "x_px": x, "y_px": y}
    return place | {"decision": decision} | cells


def image_review(image="a.png", **cells):
    """Return a row about an image that is completely read."""
    return {"image": image, "reviewed": "yes"} | cells


def mass_review(decision="accepted", image="a.png", number=1, x=29.5, y=29.5, **cells):
    """Return a row about a mass; that of each image of `evaluated_run` by default."""
    place = {"image": image, "frame": 0, "x_px": x, "y_px": y, "mass_number": number}
    return place | {"mass": decision} | cells

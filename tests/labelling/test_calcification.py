from usmicro.labelling.calcification import describe_calcification


def test_the_descriptor_joins_what_is_there():
    assert describe_calcification([]) == "none"
    assert (
        describe_calcification(["extramass", "intramass", "extramass"])
        == "in a mass+outside a mass"
    )
    assert describe_calcification(["intraductal"]) == "intraductal"

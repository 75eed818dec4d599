"""Two passes of Sentinel-2 on one day become one date by a stated rule."""

import numpy as np
from loose_images import dn, read, said, write
from safe_products import write_product

DAYS = ("2023-05-01", "2023-05-04", "2023-05-06")


def test_safe_products_of_two_orbits_on_one_day_say_which_counts(tmp_path):
    bands = {"B04": 10, "B08": 10}
    for day in DAYS:
        write_product(tmp_path, day, orbit=51, bands=bands, scl=np.full((24, 24), 4))
    write_product(
        tmp_path,
        DAYS[1],
        orbit=94,
        absolute_orbit="A036360",
        bands=bands,
        scl=np.full((24, 24), 9),
        pixels={"B04": np.full((1, 48, 48), 9000, np.uint16)},
    )
    info, observations = read(tmp_path)
    assert len(info.dates) == 3
    assert said(info, "S2 passed more than once on 2023-05-04 (D051 over D094)")
    assert observations.s2.pixels[1, 0].max() < 0.5
    assert observations.s2.observed[1].all()


def test_loose_files_named_by_their_product_are_told_apart(tmp_path):
    for day, orbit, level in ((DAYS[0], 51, 0), (DAYS[1], 51, 0), (DAYS[1], 94, 6000), (DAYS[2], 51, 0)):
        name = f"S2A_MSIL2A_{day.replace('-', '')}T105031_N0500_R{orbit:03d}_T31UFS_{day.replace('-', '')}T160000"
        for band in ("B04", "B08"):
            write(tmp_path, f"{name}/{name}_{band}.tif", dn() + level)
    info, observations = read(tmp_path)
    assert len(info.dates) == 3
    assert said(info, "over 094")
    assert observations.s2.pixels[1].max() < 0.5

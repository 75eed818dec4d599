"""COGs keep everything a grid needs, are laid out for the web, and appear complete or not at all."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.enums import Resampling
from rasterio.windows import Window

from seq2seq.errors import OutputError
from seq2seq.products import RasterProfile
from seq2seq.writers.cog import Block, write_cog

BANDS = ("B04", "B03", "B8A")
PROFILE = RasterProfile("uint16", BANDS, nodata=0)


def geobox(height: int, width: int) -> GeoBox:
    return GeoBox((height, width), Affine(10, 0, 600_000, 0, -10, 5_620_000), "EPSG:32631")


def image(height: int, width: int, dtype: str = "uint16") -> NDArray:
    generator = np.random.default_rng(0)
    return (generator.random((len(BANDS), height, width)) * 10_000).astype(dtype)


def cut(pixels: NDArray, step: int) -> Iterator[Block]:
    height, width = pixels.shape[1:]
    for row in reversed(range(0, height, step)):
        for column in range(0, width, step):
            part = pixels[:, row : row + step, column : column + step]
            yield Window(column, row, part.shape[2], part.shape[1]), part


def write(path: Path, pixels: NDArray, *, step: int = 100, **changes: object) -> None:
    settings = {"dtype": pixels.dtype.name, "nodata": 0, "bands": BANDS, **changes}
    write_cog(path, cut(pixels, step), geobox=geobox(*pixels.shape[1:]), profile=RasterProfile(**settings))


@pytest.mark.parametrize("dtype", ["uint16", "int16", "float32", "uint8"])
def test_a_round_trip_keeps_pixels_grid_bands_scale_and_tags(tmp_path: Path, dtype: str) -> None:
    pixels = image(70, 130, dtype)
    write(tmp_path / "a.tif", pixels, step=33, scale=1e-4, offset=-0.1, tags={"RECIPE": "internal"})
    with rasterio.open(tmp_path / "a.tif") as written:
        assert np.array_equal(written.read(), pixels)
        assert written.dtypes == (dtype,) * 3
        assert written.crs.to_epsg() == 32631
        assert written.transform == geobox(70, 130).affine
        assert written.nodata == 0
        assert written.descriptions == BANDS
        assert written.scales == (1e-4,) * 3
        assert written.offsets == (-0.1,) * 3
        assert written.tags()["RECIPE"] == "internal"


def test_the_layout_is_a_cog_with_tiles_overviews_and_a_predictor(tmp_path: Path) -> None:
    write(tmp_path / "a.tif", image(700, 600), step=350)
    with rasterio.open(tmp_path / "a.tif") as written:
        structure = written.tags(ns="IMAGE_STRUCTURE")
        assert structure["LAYOUT"] == "COG"
        assert structure["COMPRESSION"] == "DEFLATE"
        assert structure["PREDICTOR"] == "2"
        assert written.block_shapes[0] == (512, 512)
        assert written.overviews(1) == [2]


def test_all_headers_come_before_all_pixels_and_overviews_before_the_full_image(tmp_path: Path) -> None:
    import tifffile

    write(tmp_path / "a.tif", image(1100, 900), step=550)
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        headers = [page.offset for page in file.pages]
        first_pixels = [min(page.dataoffsets) for page in file.pages]
    assert len(headers) == 3
    assert headers == sorted(headers)
    assert max(headers) < min(first_pixels)
    assert first_pixels == sorted(first_pixels, reverse=True)


def test_overviews_of_masks_hold_no_value_that_the_mask_does_not(tmp_path: Path) -> None:
    mask = (image(1024, 1024, "uint16") > 5000).astype(np.uint8)[:1]
    for overviews, averaged in (("nearest", False), ("average", True)):
        path = tmp_path / f"{overviews}.tif"
        write(path, mask * 100, step=512, bands=("cloud",), nodata=None, overviews=overviews)
        with rasterio.open(path) as written:
            small = written.read(1, out_shape=(512, 512), resampling=Resampling.nearest)
        assert (set(np.unique(small)) - {0, 100} != set()) is averaged


def test_an_input_without_nodata_stays_without(tmp_path: Path) -> None:
    write(tmp_path / "a.tif", image(40, 40), nodata=None)
    with rasterio.open(tmp_path / "a.tif") as written:
        assert written.nodata is None


def test_the_folder_is_made_and_nothing_else_is_left_in_it(tmp_path: Path) -> None:
    write(tmp_path / "new" / "a.tif", image(40, 40))
    assert [entry.name for entry in (tmp_path / "new").iterdir()] == ["a.tif"]


def test_a_failure_half_way_keeps_the_earlier_file_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    pixels = image(60, 60)
    write(tmp_path / "a.tif", pixels)
    before = (tmp_path / "a.tif").read_bytes()

    def broken() -> Iterator[Block]:
        yield from list(cut(pixels, 30))[:2]
        raise RuntimeError("the reconstruction failed")

    with pytest.raises(RuntimeError, match="the reconstruction failed"):
        write_cog(tmp_path / "a.tif", broken(), geobox=geobox(60, 60), profile=PROFILE)
    assert (tmp_path / "a.tif").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        ([(Window(0, 0, 20, 10), image(10, 20))], "hold 200 pixels, the grid has 20 x 20 = 400"),
        ([(Window(0, 0, 20, 20), image(20, 20, "float32"))], "block is float32"),
        ([(Window(0, 0, 20, 20), image(20, 20)[:2])], "must be uint16"),
        ([(Window(5, 0, 20, 20), image(20, 20))], "reaches out of the grid"),
    ],
)
def test_blocks_that_do_not_fit_are_our_bug_and_say_so(tmp_path: Path, blocks: list[Block], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        write_cog(tmp_path / "a.tif", blocks, geobox=geobox(20, 20), profile=PROFILE)
    assert list(tmp_path.iterdir()) == []


# A file size limit fails in the same calls of GDAL as a full disk does, and needs no rights.
FULL_DISK = """
import resource, signal, sys
from pathlib import Path
sys.path.insert(0, str(Path(sys.argv[2])))
from test_cog import image, write
from seq2seq.errors import OutputError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), int(sys.argv[3])))
try:
    write(Path(sys.argv[1]), image(300, 300), step=150)
except OutputError as error:
    print(error)
"""


def test_a_disk_that_fills_at_any_moment_gives_one_line_and_no_file(tmp_path: Path) -> None:
    write(tmp_path / "whole.tif", image(300, 300), step=150)
    size = (tmp_path / "whole.tif").stat().st_size
    for limit in (1000, size // 2, size - 1000, size - 1):
        target = tmp_path / "full" / "a.tif"
        arguments = [sys.executable, "-c", FULL_DISK, str(target), str(Path(__file__).parent), str(limit)]
        finished = subprocess.run(arguments, capture_output=True, text=True, check=True, timeout=60)
        assert finished.stdout.count("\n") == 1, (limit, finished.stdout, finished.stderr)
        assert finished.stdout.startswith(f"{target}: cannot be written (")
        assert "MiB free" in finished.stdout
        assert list(target.parent.iterdir()) == []


def test_a_folder_that_cannot_be_made_gives_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="cannot be written"):
        write(tmp_path / "file" / "a.tif", image(20, 20))


def test_memory_does_not_grow_with_the_scene() -> None:
    """Sixteen times the pixels, written in the same windows, may not take as much more memory as they hold."""
    small, large = (_peak_kb(side) for side in (512, 2048))
    held_kb = 3 * 2 * (2048**2 - 512**2) // 1024
    assert large - small < held_kb / 2, (small, large)


PEAK = """
import resource, sys, tempfile
from pathlib import Path
import numpy as np
from rasterio.windows import Window
sys.path.insert(0, sys.argv[1])
from test_cog import PROFILE, geobox
from seq2seq.writers.cog import write_cog
side = int(sys.argv[2])
block = np.arange(3 * 128 * 128, dtype=np.uint16).reshape(3, 128, 128)
blocks = ((Window(c, r, 128, 128), block) for r in range(0, side, 128) for c in range(0, side, 128))
with tempfile.TemporaryDirectory() as folder:
    write_cog(Path(folder) / "a.tif", blocks, geobox=geobox(side, side), profile=PROFILE)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def _peak_kb(side: int) -> int:
    arguments = [sys.executable, "-c", PEAK, str(Path(__file__).parent), str(side)]
    return int(subprocess.run(arguments, capture_output=True, text=True, check=True, timeout=60).stdout)


@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_statistics_of_every_band_lie_in_the_file_and_none_beside_it(tmp_path: Path, dtype: str) -> None:
    pixels = image(70, 130, dtype)
    pixels[:, :20] = 0
    write(tmp_path / "a.tif", pixels, step=33)
    with rasterio.open(tmp_path / "a.tif") as written:
        for index, band in enumerate(pixels, start=1):
            tags, valid = written.tags(index), band[band != 0]
            assert float(tags["STATISTICS_MINIMUM"]) == valid.min()
            assert float(tags["STATISTICS_MAXIMUM"]) == valid.max()
            assert float(tags["STATISTICS_MEAN"]) == pytest.approx(valid.mean(dtype=np.float64), rel=1e-9)
            assert float(tags["STATISTICS_STDDEV"]) == pytest.approx(valid.std(dtype=np.float64), rel=1e-9)
            assert float(tags["STATISTICS_VALID_PERCENT"]) == pytest.approx(100 * valid.size / band.size, rel=1e-3)
            assert written.stats(indexes=[index])[0].mean == pytest.approx(valid.mean(dtype=np.float64), rel=1e-9)
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.tif"]


def test_statistics_do_not_depend_on_the_cut_into_windows_and_bear_large_numbers(tmp_path: Path) -> None:
    pixels = (image(64, 64, "uint32") % 7) + np.uint32(4_000_000_000)
    found = []
    for step in (7, 64):
        write(tmp_path / f"{step}.tif", pixels, step=step)
        with rasterio.open(tmp_path / f"{step}.tif") as written:
            found.append(float(written.tags(1)["STATISTICS_STDDEV"]))
    assert found == pytest.approx([pixels[0].std(dtype=np.float64)] * 2, rel=1e-6)


def test_a_band_without_any_valid_pixel_says_so(tmp_path: Path) -> None:
    write(tmp_path / "a.tif", np.zeros((3, 20, 20), np.uint16))
    with rasterio.open(tmp_path / "a.tif") as written:
        assert {name: value for name, value in written.tags(1).items() if name.startswith("STATISTICS")} == {
            "STATISTICS_VALID_PERCENT": "0"
        }


def test_a_unit_is_stated_for_every_band(tmp_path: Path) -> None:
    write(tmp_path / "a.tif", image(20, 20), unit="reflectance")
    with rasterio.open(tmp_path / "a.tif") as written:
        assert written.units == ("reflectance",) * 3

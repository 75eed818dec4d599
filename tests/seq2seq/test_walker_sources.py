"""The names of published products and of other programs, as they are published; and what is refused, in one line."""

import numpy as np
import pytest
import rasterio
from affine import Affine
from loose_images import DAYS, SIDE, classes, compact, db, dn, packed, read, said, write
from odc.geo.geobox import GeoBox
from sen12_trees import write_series, write_triplet

from seq2seq.errors import DecloudError, InputError, MissingDataError, UnknownBandsError
from seq2seq.radiometry import to_linear
from seq2seq.readers import open_contents, open_sequence
from seq2seq.readers.loose.conventions import orbit_in
from seq2seq.readers.loose.passes import pass_direction

NAMES = ("B2", "B3", "B4", "B8")


def optical(root, names=NAMES):
    for index, day in enumerate(DAYS):
        write(root, f"S2_{compact(day)}.tif", dn(index, len(names)), bands=names)
    return root


def pixels_of(index, count):
    return dn(index, count) * 1e-4


# -- Sentinel-2


@pytest.mark.parametrize(("resolution", "infrared"), [("10", "B08"), ("20", "B8A")])
def test_sen2r_keeps_one_of_two_infrared_bands(tmp_path, resolution, infrared):
    for index, day in enumerate(DAYS):
        stem = f"S2A2A_{compact(day)}_022_Barrax"
        write(tmp_path, f"BOA/{stem}_BOA_{resolution}.tif", dn(index, 11), nodata=65535)
        write(tmp_path, f"SCL/{stem}_SCL_{resolution}.tif", classes())
        write(tmp_path, f"NDVI/{stem}_NDVI_{resolution}.tif", dn(index).astype(np.int16))
    info, sequence = read(tmp_path)
    assert info.bands == ("B01", "B02", "B03", "B04", "B05", "B06", "B07", infrared, "B09", "B11", "B12")
    assert np.allclose(sequence.s2.pixels[1], pixels_of(1, 11), atol=1e-6)
    assert info.mask_source == "scl"
    assert not sequence.s2.observed[:, :6].any()
    assert said(info, "3 images are not used: NDVI/")
    with open_contents(tmp_path) as contents:
        assert contents.s2[0].header.orbit == "022"


def test_force_and_its_quality_bits(tmp_path):
    quality = np.zeros((1, SIDE, SIDE), np.int16)
    for row, bit in enumerate((0, 1, 2, 3, 4)):  # no data, cloud, cirrus (with bit 1), shadow, snow
        quality[0, row] = 1 << bit
    for index, day in enumerate(DAYS):
        pixels = dn(index, 10).astype(np.int16)
        pixels[:, 20] = -9999
        write(tmp_path, f"X0134_Y0097/{compact(day)}_LEVEL2_SEN2A_BOA.tif", pixels, nodata=-9999)
        write(tmp_path, f"X0134_Y0097/{compact(day)}_LEVEL2_SEN2A_QAI.tif", quality)
        write(tmp_path, f"X0134_Y0097/{compact(day)}_LEVEL2_LND08_BOA.tif", dn(9, 6).astype(np.int16))
    info, sequence = read(tmp_path)
    assert info.bands == ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12")
    assert np.allclose(sequence.s2.pixels[1, :, 5:20], pixels_of(1, 10)[:, 5:20], atol=1e-6)
    assert sequence.s2.observed[0].all(axis=1).tolist() == [False] * 4 + [True] * 16 + [False] + [True] * 3
    assert said(info, "are those of QAI; masked are bits 0 no data, 1 and 2 cloud, 3 shadow")
    assert said(info, "3 images are not used: X0134_Y0097/20200604_LEVEL2_LND08_BOA.tif")
    with open_contents(tmp_path) as contents:
        assert contents.s2[0].header.product.add_offset == 0


def test_harmonised_landsat_and_sentinel_is_read_as_far_as_it_is_sentinel(tmp_path):
    quality = np.full((1, SIDE, SIDE), 0b01000000, np.uint8)
    quality[0, 0], quality[0, 1], quality[0, 2] = 0b01000010, 0b01001000, 255
    for index, number in enumerate((156, 161, 166)):
        for sensor in ("S30", "L30"):
            stem = f"HLS.{sensor}.T31UFS.2020{number}T105031.v2.0"
            write(tmp_path, f"{stem}.B05.tif", dn(index).astype(np.int16), nodata=-9999)
            write(tmp_path, f"{stem}.Fmask.tif", quality)
    info, sequence = read(tmp_path)
    assert [str(day) for day in info.dates] == list(DAYS)
    assert info.bands == ("B05",)
    assert sequence.s2.observed[0].all(axis=1).tolist() == [False] * 3 + [True] * 21


def test_band_files_of_products_in_their_own_resolutions(tmp_path):
    for index, day in enumerate(DAYS):
        stem = f"T31UFS_{compact(day)}T105031"
        write(tmp_path, f"{stem}_B02_10m.tif", dn(index))
        coarse = {"transform": (20, 0, 600_000, 0, -20, 5_600_000)}
        write(tmp_path, f"{stem}_B05_20m.tif", dn(index, side=SIDE // 2), **coarse)
        write(tmp_path, f"{stem}_SCL_20m.tif", classes(3, SIDE // 2), **coarse)
        write(tmp_path, f"{stem}_TCI_10m.tif", dn(index, 3).astype(np.uint8))
        write(tmp_path, f"{stem}_AOT_20m.tif", dn(index))
    info, sequence = read(tmp_path)
    assert info.bands == ("B02", "B05")
    assert np.allclose(sequence.s2.pixels[1, 0], pixels_of(1, 1)[0], atol=1e-6)
    assert said(info, "bands of 20 m resampled to 10 m, bilinear: B05")
    assert not sequence.s2.observed[:, :6].any()
    assert sequence.s2.observed[:, 6:].all()
    assert said(info, "6 images are not used")


@pytest.mark.parametrize(
    "name",
    [
        "{day}_B0{band}.tif",
        "B0{band}/{compact}.tif",
        "{compact}/B0{band}.tif",
        "tiles/31/U/FS/2020/6/{number}/B0{band}.tif",
        "S2A_MSIL2A_{compact}T105031_N0214_R051_T31UFS_20200701T120000/T31UFS_{compact}T105031_B0{band}.tif",
        "SENTINEL2A_{compact}-105031-456_L2A_T31UFS_C_V2-2/SENTINEL2A_{compact}-105031-456_T31UFS_FRE_B{band}.tif",
        "a/b/c/d/e/f/g/{day}_b{band}.TIF",
    ],
)
def test_a_file_a_band_and_date_wherever_the_name_says_so(tmp_path, name):
    for index, day in enumerate(DAYS):
        for band in (2, 8):
            facts = {"day": day, "compact": compact(day), "number": int(day[-2:]), "band": band}
            write(tmp_path, name.format(**facts), dn(10 * index + band))
    info, sequence = read(tmp_path)
    assert [str(day) for day in info.dates] == list(DAYS)
    assert info.bands == ("B02", "B08")
    assert np.allclose(sequence.s2.pixels[1, 1], pixels_of(18, 1)[0], atol=1e-6)


@pytest.mark.parametrize(
    "tag", [{"ACQUISITION_DATE": "{day}"}, {"system:time_start": "{epoch}"}, {"time": "{day}T10:50"}]
)
def test_the_day_is_found_in_metadata(tmp_path, tag):
    for index, day in enumerate(DAYS):
        path = write(tmp_path, f"scene{index}.tif", dn(index, 4), bands=NAMES)
        epoch = int(np.datetime64(day, "ms").astype(int)) + 36_000_000
        with rasterio.open(path, "r+") as file:
            file.update_tags(**{key: value.format(day=day, epoch=epoch) for key, value in tag.items()})
    info, _ = read(tmp_path)
    assert [str(day) for day in info.dates] == list(DAYS)


@pytest.mark.parametrize("descriptions", [None, ("Band 1", "Band 2", "Band 3", "Band 4"), "terra"])
def test_bands_without_names_are_taken_in_the_order_of_products_and_it_is_said(tmp_path, descriptions):
    for index, day in enumerate(DAYS):
        bands = [f"S2_{compact(day)}_{number}" for number in range(1, 5)] if descriptions == "terra" else descriptions
        write(tmp_path, f"S2_{compact(day)}.tif", dn(index, 4), bands=bands)
    info, _ = read(tmp_path)
    assert info.bands == ("B02", "B03", "B04", "B08")
    assert said(info, "have no names; taken in the order of 4-band products")


def test_a_file_a_sensor_and_date_beside_each_other(tmp_path):
    for index, day in enumerate(DAYS):
        write(tmp_path, f"S2_{compact(day)}.tif", dn(index, 10))
        write(tmp_path, f"S1_{compact(day)[:-1]}2.tif", db(index, 2)) if index == 0 else None
        write(tmp_path, f"SCL_{compact(day)}.tif", classes())
    info, sequence = read(tmp_path)
    assert info.shape == (3, 10, SIDE, SIDE)
    assert [str(day) for day in info.s1_acquisitions] == ["2020-06-02"]
    assert info.mask_source == "scl"
    assert np.allclose(sequence.s1.pixels[0], db(0, 2), atol=1e-4)


def test_descriptions_say_the_band_in_many_words(tmp_path):
    for index, day in enumerate(DAYS):
        write(tmp_path, f"{day}.tif", dn(index, 3), bands=("B2, central wavelength 490 nm", "red", "nir08"))
        write(tmp_path, f"radar_{day}.tif", db(index, 2), bands=("Sigma0_VH_db", "Gamma0-VV"))
    info, sequence = read(tmp_path)
    assert info.bands == ("B02", "B04", "B8A")
    assert info.s1_bands == ("VV", "VH")
    assert np.allclose(sequence.s1.pixels[1], db(1, 2)[::-1], atol=1e-4)


def test_tags_of_bands_name_them_where_descriptions_do_not(tmp_path):
    for index, day in enumerate(DAYS):
        path = write(tmp_path, f"openEO_{day}Z.tif", dn(index, 2))
        with rasterio.open(path, "r+") as file:
            file.update_tags(1, DESCRIPTION="B08")
            file.update_tags(2, DESCRIPTION="B03")
    info, sequence = read(tmp_path)
    assert info.bands == ("B03", "B08")
    assert np.allclose(sequence.s2.pixels[1, 0], pixels_of(1, 2)[1], atol=1e-6)


@pytest.mark.parametrize(
    "names", [("B02_10", "B03_10", "B8A_20", "B11_20"), ("B2_mean", "B3_mean", "B8A_mean", "B11_mean")]
)
def test_numbers_and_words_after_bands_that_are_there_once_are_no_dates(tmp_path, names):
    for index, day in enumerate(DAYS):
        pixels = np.concatenate([dn(index, 4), dn(99)])
        write(tmp_path, f"{compact(day)}.tif", pixels, bands=(*names, "B2_stdDev"))
    info, sequence = read(tmp_path)
    assert info.bands == ("B02", "B03", "B8A", "B11")
    assert np.allclose(sequence.s2.pixels[1], pixels_of(1, 4), atol=1e-6)
    assert said(info, "ignored: B2_stdDev")


def test_a_name_may_list_the_bands_of_a_file(tmp_path):
    for index, day in enumerate(DAYS):
        write(tmp_path, f"{day}_B11_B8A.tif", dn(index, 2))
    info, sequence = read(tmp_path)
    assert info.bands == ("B8A", "B11")
    assert np.allclose(sequence.s2.pixels[1, 0], pixels_of(1, 2)[1], atol=1e-6)


# -- Sentinel-1


def hyp3(root, letter, values):
    """letter: p, d or a, as products of HyP3 state their unit."""
    for day in DAYS:
        stem = f"S1A_IW_{compact(day)}T173953_DVP_RTC30_G_g{letter}uned_6FF8"
        for band, pixels in zip(("VV", "VH"), values, strict=True):
            write(root, f"{stem}/{stem}_{band}.tif", pixels[None], nodata=0)
        slopes = np.ones((1, SIDE, SIDE), np.uint8)
        slopes[0, 0], slopes[0, 1], slopes[0, 2], slopes[0, 3] = 5, 17, 3, 9
        write(root, f"{stem}/{stem}_ls_map.tif", slopes)
        for extra in ("_inc_map.tif", "_dem.tif", "_area.tif", "_rgb.tif"):
            write(root, f"{stem}/{stem}{extra}", db())
    return root


@pytest.mark.parametrize(
    ("letter", "stored"),
    [("d", lambda db: db), ("p", to_linear), ("a", lambda db: np.sqrt(to_linear(db)).astype(np.float32))],
)
def test_radar_of_hyp3_in_each_of_its_units(tmp_path, letter, stored):
    values = db(3, 2)
    info, sequence = read(hyp3(optical(tmp_path), letter, stored(values)))
    assert info.s1_bands == ("VV", "VH")
    assert np.allclose(sequence.s1.pixels[1][:, 4:], values[:, 4:], atol=1e-4)
    assert sequence.s1.observed[0].all(axis=1)[:6].tolist() == [False, False, True, True, True, True]
    assert said(info, "S1 has no data where its masks say")
    assert said(info, "12 images are not used")


def test_bursts_of_opera_are_one_acquisition_a_day(tmp_path):
    optical(tmp_path)
    values = to_linear(db(4, 2))
    for day in DAYS:
        for burst, rows in (("148000", slice(0, 16)), ("148001", slice(8, SIDE))):
            stem = f"OPERA_L2_RTC-S1_T070-{burst}-IW1_{compact(day)}T173953Z_20231011T120000Z_S1A_30_v1.0"
            place = {"transform": (10, 0, 600_000, 0, -10, 5_600_000 - 10 * rows.start)}
            hidden = np.zeros((1, rows.stop - rows.start, SIDE), np.uint8)
            hidden[0, :, 0] = 2
            for band, pixels in zip(("VV", "VH"), values, strict=True):
                write(tmp_path, f"opera/{stem}_{band}.tif", pixels[None, rows], **place)
            write(tmp_path, f"opera/{stem}_mask.tif", hidden, **place)
            static = f"OPERA_L2_RTC-S1-STATIC_T070-{burst}-IW1_{compact(day)}_S1A_30_v1.0_mask.tif"
            write(tmp_path, f"opera/{static}", hidden, **place)
    info, sequence = read(tmp_path)
    assert info.s1_bands == ("VV", "VH")
    assert np.allclose(sequence.s1.pixels[1][:, :, 1:], db(4, 2)[:, :, 1:], atol=1e-4)
    assert not sequence.s1.observed[:, :, 0].any()
    assert sequence.s1.observed[:, :, 1:].all()
    with open_contents(tmp_path) as contents:
        assert contents.s1[0].header.orbit == "A070"


@pytest.mark.parametrize(
    ("name", "orbit"),
    [
        ("S1A_IW_GRDH_1SDV_20210809T173953_20210809T174018_039156_049F13_6FF8", "059"),
        ("S1B_IW_GRDH_1SDV_20210809T173953_20210809T174018_000027_049F13_6FF8", "001"),
        ("S1C_IW_GRDH_1SDV_20250809T173953_20250809T174018_000173_049F13_6FF8", "002"),
        ("S2A_MSIL2A_20221005T115411_N0400_R023_T29UNU_20221005T164454", "023"),
        ("S2_20200604", ""),
    ],
)
def test_orbits_in_names(name, orbit):
    assert orbit_in(f"{name}_") == orbit


@pytest.mark.parametrize(
    ("time", "longitude", "latitude", "direction"),
    [
        ("T173953", 4.4, 50.5, "A"),  # Belgium in the evening
        ("T055112", 4.4, 50.5, "D"),
        ("T093000", 140, 36, "A"),  # Japan, 18:50 there
        ("T230000", -77, -12, "A"),  # Peru, 17:50 there
        ("T173953", 20, 78, ""),
        ("", 4.4, 50.5, ""),
    ],
)
def test_the_direction_of_a_radar_pass_is_told_by_the_time_of_day(time, longitude, latitude, direction):
    grid = GeoBox((10, 10), Affine(1e-4, 0, longitude, 0, -1e-4, latitude), "EPSG:4326")
    assert pass_direction(f"S1A_IW_20210809{time}_DVP_RTC30_G_gpuned_6FF8_VV.tif", grid) == direction


def test_of_two_passes_a_day_in_opposite_directions_one_is_used(tmp_path):
    optical(tmp_path)
    for index, day in enumerate(DAYS):
        for time in ("T173953", "T055112")[: 2 if index else 1]:
            stem = f"S1A_IW_{compact(day)}{time}_SVP_RTC30_G_gduned_6FF8"
            write(tmp_path, f"{stem}/{stem}_VV.tif", db(9 if time == "T173953" else 8))
    info, sequence = read(tmp_path)
    assert np.allclose(sequence.s1.pixels, db(9)[None], atol=1e-4)
    assert said(info, f"S1 passed twice on {DAYS[1]}, {DAYS[2]}")


# -- data sets


def test_series_of_sen12ms_cr_ts(tmp_path):
    write_series(tmp_path, "ROIs1868/119")
    info, _ = read(tmp_path)
    assert info.shape == (6, 13, 32, 32)
    assert info.s1_bands == ("VV", "VH")
    assert not said(info, "no names")


def test_patches_of_an_area_are_put_side_by_side(tmp_path):
    for number, day in enumerate(DAYS):
        for patch in (0, 1):
            name = f"s2_ROIs1868_119_ImgNo_{number}_{day}_patch_{patch}.tif"
            place = (10, 0, 600_000 + 240 * patch, 0, -10, 5_600_000)
            write(tmp_path, f"ROIs1868/119/S2/{number}/{name}", dn(patch, 13), transform=place)
    info, sequence = read(tmp_path)
    assert info.shape == (3, 13, SIDE, 2 * SIDE)
    assert np.allclose(sequence.s2.pixels[0][:, :, SIDE:], pixels_of(1, 13), atol=1e-6)


def test_the_real_series(shared_data):
    root = shared_data / "formats/sen12mscrts"
    if not root.is_dir():
        pytest.skip(f"{root} is absent")
    info, _ = read(root)
    assert info.shape == (8, 13, 64, 64)
    assert str(info.dates[0]) == "2018-04-26"


def test_triplets_are_no_sequence(tmp_path):
    write_triplet(tmp_path / "published")
    for folder in ("s1", "s2_cloudFree", "s2_cloudy"):
        write(tmp_path / "flat", f"{folder}/ROIs1158_spring_1_p407.tif", dn(0, 13))
    for root in (tmp_path / "published", tmp_path / "flat"):
        with pytest.raises(InputError, match=r"no sequence; `decloud evaluate` .* `decloud look`"):
            open_sequence(root)


# -- what is refused, and what is only said


def refused(path, *words):
    with pytest.raises(DecloudError) as caught:
        open_sequence(path)
    assert "\n" not in str(caught.value)
    assert [word for word in words if word not in str(caught.value)] == []
    return caught.value


def test_two_dates_in_a_name(tmp_path):
    optical(tmp_path)
    write(tmp_path, "mean_20200601_20200630.tif", dn(0, 4), bands=NAMES)
    error = refused(tmp_path, "mean_20200601_20200630.tif", "2 dates", "2020-06-01, 2020-06-30", "begin it with")
    assert error.file == "mean_20200601_20200630.tif"


def test_no_date_anywhere(tmp_path):
    write(tmp_path, "scene.tif", dn(0, 4), bands=NAMES)
    assert isinstance(refused(tmp_path, "scene.tif", "no date", "2020-06-04_B02.tif"), InputError)


def test_numbered_dates_without_a_first_and_a_last_day(tmp_path):
    bands = [f"{band}_{index}" if index else band for index in range(3) for band in ("B2", "B8")]
    path = write(tmp_path, "stack_2020-06-04.tif", dn(0, 6), bands=bands)
    refused(path, "3 dates as numbered bands (B2, B8, B2_1, B8_1)", "the name has 1 dates", "first and last day")


def test_a_count_of_bands_that_no_product_has(tmp_path):
    write(tmp_path, "S2_20200604.tif", dn(0, 7))
    assert isinstance(refused(tmp_path, "S2_20200604.tif: 7 bands without names", "4, 10, 12, 13"), UnknownBandsError)


def test_a_band_twice_on_a_day(tmp_path):
    write(tmp_path, "20200604.tif", dn(0, 2), bands=("B2", "B02"))
    refused(tmp_path, "20200604.tif: band B02 of 2020-06-04 is there more than once")


def test_nothing_of_sentinel_2(tmp_path):
    hyp3(tmp_path / "radar", "p", to_linear(db(3, 2)))
    assert isinstance(refused(tmp_path / "radar", "holds Sentinel-1 alone"), MissingDataError)
    write(tmp_path / "maps", "dem.tif", dn())
    refused(tmp_path / "maps", "no image of Sentinel-2 is recognised: dem.tif", "2020-06-04_B02.tif")


def test_a_file_that_cannot_be_opened_matters_only_where_it_is_of_the_sequence(tmp_path):
    optical(tmp_path)
    (tmp_path / "logo.tif").write_bytes(b"no image")
    assert said(read(tmp_path)[0], "1 images are not used: logo.tif")
    (tmp_path / "S2_20200619.tif").write_bytes(b"no image")
    error = refused(tmp_path, "S2_20200619.tif: is not a TIFF")
    assert error.places[0].date == "2020-06-19"


def test_what_is_not_recognised_is_named_and_the_rest_is_read(tmp_path):
    optical(tmp_path)
    write(tmp_path, "dem.tif", dn())
    write(tmp_path, "PSScene_20200604.tif", dn(0, 3))
    write(tmp_path, "2020-06-04-00_00_2020-06-04-23_59_Sentinel-2_L2A_True_color.tiff", dn(0, 3))
    info, _ = read(tmp_path)
    assert said(
        info, "3 images are not used: 2020-06-04-00_00_2020-06-04-23_59_Sentinel-2_L2A_True_color.tiff, PSScene_"
    )
    assert len(info.dates) == 3


def test_a_product_of_its_own_format_beside_images_is_said_not_to_be_read(tmp_path):
    optical(tmp_path)
    name = "S1A_IW_GRDH_1SDV_20210809T173953_20210809T174018_039156_049F13_6FF8.SAFE"
    write(tmp_path, f"{name}/measurement/s1a-iw-grd-vv-20210809t173953-1.tiff", db())
    info, _ = read(tmp_path)
    assert said(info, "neither calibrated nor terrain-corrected")


@pytest.mark.parametrize("given", ["in", "in/{name}", "{name}.zip", "x.zip"])
def test_a_radar_product_by_itself_is_refused_in_words(tmp_path, given):
    name = "S1A_IW_GRDH_1SDV_20210809T173953_20210809T174018_039156_049F13_6FF8.SAFE"
    write(tmp_path / "in", f"{name}/measurement/s1a-iw-grd-vv-20210809t173953-1.tiff", db(), crs=None)
    path = tmp_path / given.format(name=name)
    refused(
        packed(tmp_path / "in", path) if path.suffix == ".zip" else path, "neither calibrated nor terrain-corrected"
    )


def test_archives_beside_images_are_told_to_be_unpacked(tmp_path):
    optical(tmp_path)
    (tmp_path / "S1A_IW_20210809T173953_DVP_RTC30_G_gpuned_6FF8.zip").write_bytes(b"PK")
    info, _ = read(tmp_path)
    assert said(info, "an archive in a folder or in an archive is not unpacked; unpack it there")


def test_a_folder_of_thousands_of_files_is_refused_before_it_is_walked(tmp_path, monkeypatch):
    monkeypatch.setattr("seq2seq.readers.folder.MAX_ENTRIES", 10)
    for index in range(12):
        (tmp_path / "home" / f"{index}").mkdir(parents=True)
    refused(tmp_path, "more than 10 files and folders", "give the folder of the images alone")

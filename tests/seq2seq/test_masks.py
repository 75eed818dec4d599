"""What sources say becomes a mask: joined, cleaned, with shadows and growth, and every pixel knows who masked it."""

from importlib.util import find_spec

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter
from sequence_files import DATES, HEIGHT, WIDTH, s2_dn, write_sequence, write_tif

from seq2seq.config import ReconstructionConfig
from seq2seq.errors import ConfigError
from seq2seq.readers import open_sequence
from seq2seq.readers.clouds.casting import HEIGHT_M, Cast
from seq2seq.readers.clouds.csmask import csmask_detector, csmask_installed
from seq2seq.readers.clouds.finishing import Evidence, Finishing
from seq2seq.readers.clouds.labels import (
    BUFFER,
    CLOUD_CODES,
    HOLE,
    LABELS,
    NEAR,
    NO_DATA,
    PROJECTED,
    SHADOW_CODES,
    TOO_SMALL,
    colours_of,
    is_masked,
)
from seq2seq.readers.clouds.recording import MaskLog
from seq2seq.readers.scan import plan_blocks

SIDE = 60
RULES, USER = CLOUD_CODES["rules"], CLOUD_CODES["user"]


def finishing(**changed):
    values = {"given_px": 0, "detected_px": 0, "least_px": 0, "holes_px": 0, "gsd_m": 100.0, **changed}
    return Finishing.of(**values)


def empty(side=SIDE):
    return np.zeros((side, side), dtype=bool)


def square(row, column, side=1):
    plane = empty()
    plane[row : row + side, column : column + side] = True
    return plane


def test_each_pixel_counts_for_the_first_that_claims_it():
    nothing = empty()
    cloud, mine, dark = square(10, 10, 10), square(15, 15, 10), square(8, 8, 30)
    evidence = Evidence(square(18, 18, 2), {"rules": cloud, "user": mine}, {"scl": square(22, 22, 6)}, dark)
    codes = finishing(detected_px=2).finish(evidence, None)
    assert codes[18, 18] == NO_DATA
    assert codes[17, 17] == USER
    assert codes[11, 11] == RULES
    assert codes[26, 26] == SHADOW_CODES["scl"]
    assert codes[9, 9] == NEAR
    assert codes[7, 7] == BUFFER
    assert not is_masked(codes)[50:, 50:].any()
    assert np.array_equal(is_masked(finishing().finish(Evidence(nothing, {"rules": cloud}), None)), cloud)


def test_clouds_too_small_are_left_clear_cast_no_shadow_and_are_named():
    small, large = square(10, 10, 2), square(30, 30, 5)
    dark = square(10, 12, 3) | square(30, 35, 3)
    codes = finishing(least_px=5).finish(Evidence(empty(), {"rules": small | large}, dark=dark), None)
    assert (codes[small] == TOO_SMALL).all()
    assert (codes[large] == RULES).all()
    assert not is_masked(codes)[small].any()
    assert (codes[10:13, 12:15] == 0).all()
    assert (codes[30:33, 35:38] == NEAR).all()


def test_small_clear_holes_are_filled_and_larger_ones_are_not():
    cloud = square(10, 10, 30)
    cloud[20:22, 20:22] = cloud[30:34, 30:34] = False
    codes = finishing(holes_px=5).finish(Evidence(empty(), {"rules": cloud}), None)
    assert (codes[20:22, 20:22] == HOLE).all()
    assert (codes[30:34, 30:34] == 0).all()
    assert codes[0, 0] == 0


def test_what_came_with_the_images_and_what_was_found_grow_for_themselves():
    evidence = Evidence(empty(), {"user": square(10, 10), "rules": square(40, 40)})
    masked = is_masked(finishing(given_px=0, detected_px=3).finish(evidence, None))
    assert masked[10, 10]
    assert masked[:30, :30].sum() == 1
    assert masked[40, 43]
    assert not masked[40, 44]


@pytest.mark.parametrize("height_m", [200, 700, 1500, 2900, 4000])
def test_a_shadow_is_looked_for_under_clouds_of_every_height_of_the_range(height_m):
    cast = Cast((-0.006, -0.004), 100.0)
    cloud = square(40, 40, 4)
    rows, columns = (round(each * height_m) for each in cast.step)
    shadow = square(40 + rows, 40 + columns, 4)
    assert cast.of(cloud)[shadow].all()


def test_no_shadow_is_looked_for_towards_the_sun_or_beside_the_ray():
    cast = Cast((-0.006, 0.0), 100.0)
    found = cast.of(square(40, 30, 3))
    assert not found[44:].any()
    assert not found[:, :28].any()
    assert not found[:, 35:].any()
    assert not found[: 40 - cast.reach_px].any()


def test_a_low_sun_draws_no_endless_shadow():
    low = Cast((-1.1, 0.0), 10.0)  # 5 degrees up
    assert HEIGHT_M[0] <= low.highest_m < HEIGHT_M[1]
    assert low.reach_px < 700


def test_dim_pixels_are_shadow_on_the_ray_alone_and_dark_ones_near_any_cloud():
    cast, cloud = Cast((-0.006, 0.0), 100.0), square(40, 30, 4)
    dim = square(20, 20, 30)
    dark = square(41, 35, 2)
    codes = finishing().finish(Evidence(empty(), {"rules": cloud}, dark=dark, dim=dim), cast)
    assert (codes[30:36, 30:34] == PROJECTED).all()
    assert (codes[dark] == NEAR).all()
    assert codes[47, 30] == 0
    assert codes[30, 45] == 0


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.sampled_from([None, Cast((-0.003, 0.002), 100.0)]), st.integers(0, 60))
def test_a_block_with_its_halo_is_finished_as_in_the_whole_scene(seed, cast, start):
    rng, side = np.random.default_rng(seed), 130
    planes = [gaussian_filter(rng.standard_normal((side, side)), 2) > level for level in (0.2, 0.1, 0.15)]
    planes.append(rng.random((side, side)) > 0.99)
    how = finishing(given_px=1, detected_px=2, least_px=6, holes_px=5)

    def finish(part):
        cloud, dim, given, no_data = (plane[part] for plane in planes)
        evidence = Evidence(no_data, {"rules": cloud, "user": given & no_data}, {}, dim & ~cloud, dim & ~cloud)
        return how.finish(evidence, cast)

    whole, reach = finish(np.s_[:, :]), how.reach_px([cast])
    low, high = max(0, start - reach), start + 20 + reach
    assert np.array_equal(finish(np.s_[low:high])[start - low : start - low + 20], whole[start : start + 20])


@pytest.mark.parametrize("shape", [(24, 32), (241, 300), (700, 100)])
def test_the_picture_has_every_few_pixels_whatever_the_blocks(shape):
    codes = np.random.default_rng(0).integers(0, 7, shape).astype(np.uint8)
    log = MaskLog(1, shape)
    for block in plan_blocks(shape, side=96, chunk=(1, 1)):
        log.add(block, 0, codes[block.slices])
    result = log.result()
    every = result.every_px
    assert np.array_equal(result.picture[0], codes[every // 2 :: every, every // 2 :: every])
    assert max(result.picture.shape) <= 240
    assert {name: int(counts[0]) for name, counts in result.pixels.items()} == {
        label.name: int((codes == label.code).sum()) for label in LABELS if (codes == label.code).any()
    }


def test_labels_have_codes_and_colours_of_their_own():
    assert len({label.code for label in LABELS}) == len({label.colour for label in LABELS}) == len(LABELS)
    assert {label.name for label in LABELS if not label.masks} == {"too_small"}
    colours = colours_of(np.array([[0, RULES]], dtype=np.uint8))
    assert colours[0, 0, 3] == 0
    assert tuple(colours[0, 1]) == (*bytes.fromhex("4e9af2"), 255)


def cloudy(tmp_path, **more):
    """Clouds on the second date, of which the user's mask has one pixel elsewhere and SCL a shadow."""
    s2 = s2_dn()
    s2[1, :, 4:12, 4:14] = 6000
    masks = np.zeros((5, HEIGHT, WIDTH), dtype=bool)
    masks[1, 20, 20] = True
    root = write_sequence(tmp_path, s2=s2, masks=masks, **more)
    for date in DATES:
        scl = np.full((1, HEIGHT, WIDTH), 4, dtype=np.uint8)
        scl[0, 15, 15] = 3
        write_tif(root / "SCL" / f"{date}.tif", scl)
    return root


def masked(root, **chosen):
    with open_sequence(root, ReconstructionConfig(**chosen)) as source:
        return source.read().cloud_mask, source.masked_by, source.info


def test_sources_are_joined_where_that_is_asked_for_and_each_is_counted(tmp_path):
    root = cloudy(tmp_path)
    mine, by, _ = masked(root)
    assert mine.sum() == 1
    assert list(by.pixels) == ["user"]
    union, by, info = masked(root, cloud_also="rules, scl", cloud_buffer_px=0)
    assert union[1, 20, 20]
    assert union[1, 5:11, 5:13].all()
    assert union[:, 15, 15].all()
    assert info.mask_source == "user"
    assert set(by.pixels) == {"user", "scl_shadow", "rules_cloud"}
    assert list(by.pixels["scl_shadow"]) == [1] * 5
    total = sum(by.pixels.values())
    assert np.array_equal(total, union.sum(axis=(1, 2)))


def test_a_forced_detector_keeps_of_the_masks_those_that_are_added(tmp_path):
    root = cloudy(tmp_path)
    found, by, info = masked(root, cloud_detector="rules", cloud_also="user", cloud_buffer_px=0)
    assert found[1, 20, 20]
    assert set(by.pixels) == {"user", "rules_cloud"}
    assert info.mask_source == "rules"
    assert any("SCL is not used" in line for line in info.warnings)
    assert not any("MASK is not used" in line for line in info.warnings)


def test_where_masks_lack_a_date_the_detector_counts_there_alone(tmp_path):
    root = cloudy(tmp_path)
    (root / "SCL" / f"{DATES[1]}.tif").unlink()
    (root / "MASK" / f"{DATES[1]}.tif").unlink()
    _, by, _ = masked(root)
    assert by.pixels["rules_cloud"][1] > 50
    assert by.pixels["rules_cloud"].sum() == by.pixels["rules_cloud"][1]


def test_the_score_finds_clouds_and_says_so(tmp_path):
    found, by, info = masked(cloudy(tmp_path), cloud_detector="score")
    assert found[1, 5:11, 5:13].all()
    assert not found[0].any()
    assert info.mask_source == "score"
    assert by.pixels["score_cloud"][1] > 50


@pytest.mark.parametrize(("chosen", "words"), [({}, "1 km"), ({"cloud_shadows": "sun"}, "computed from date")])
def test_how_shadows_were_looked_for_is_said(tmp_path, chosen, words):
    _, by, _ = masked(cloudy(tmp_path), cloud_detector="rules", **chosen)
    assert words in by.sun


def test_shadows_along_the_sun_do_not_depend_on_the_blocks_of_either_pass(tmp_path, monkeypatch):
    s2 = s2_dn(height=96, width=96)
    s2[1, :, 50:66, 50:66] = 6000
    s2[1, :, 30:50, 40:60] //= 2
    root = write_sequence(tmp_path, s2=s2)
    chosen = {"cloud_detector": "rules", "cloud_shadows": "sun", "cloud_min_px": 4, "cloud_holes_px": 4}
    whole, by, _ = masked(root, **chosen)
    monkeypatch.setattr("seq2seq.readers.scan._FINISHING_PX", 16)
    monkeypatch.setattr("seq2seq.readers.source.block_side", lambda *_, **__: 24)
    parts, by_parts, _ = masked(root, **chosen)
    assert by.pixels["projected_shadow"][1] > 20
    assert np.array_equal(whole, parts)
    assert np.array_equal(by.picture, by_parts.picture)


@pytest.mark.parametrize("named", ["cloud", "rules,scal", "rules;scl"])
def test_a_source_that_is_none_is_named_with_those_that_are(named):
    with pytest.raises(ConfigError, match=r"cloud_also is .* must be one of user, scl, s2cloudless, rules"):
        ReconstructionConfig(cloud_also=named)


def test_csmask_says_what_it_needs(tmp_path, monkeypatch):
    root = write_sequence(tmp_path)
    monkeypatch.setattr("seq2seq.readers.clouds.choosing.csmask_installed", lambda: False)
    with pytest.raises(ConfigError, match=r"csmask is not installed: pip install 'decloud\[csmask\]'"):
        open_sequence(root, ReconstructionConfig(cloud_detector="csmask"))
    monkeypatch.setattr("seq2seq.readers.clouds.choosing.csmask_installed", lambda: True)
    red = write_sequence(tmp_path / "red", s2=s2_dn(bands=2), bands=("B04", "B08"))
    with pytest.raises(ConfigError, match="csmask needs B02, B03, which the input lacks"):
        open_sequence(red, ReconstructionConfig(cloud_detector="csmask"))


def test_csmask_takes_the_weights_of_level_and_bands():
    four = csmask_detector(("B02", "B03", "B04", "B8A"), 10.0)
    six = csmask_detector(("B01", "B02", "B03", "B04", "B08", "B8A", "B10", "B11", "B12"), 10.0)
    assert (four.bands, four.level) == (("B02", "B03", "B04", "B8A"), "l2a")
    assert (six.bands, six.level) == (("B02", "B03", "B04", "B08", "B11", "B12"), "l1c")
    assert csmask_detector(("B02", "B03", "B04"), 10.0) is None


@pytest.mark.skipif(not csmask_installed(), reason="ukis-csmask and onnxruntime are not installed")
def test_csmask_finds_real_cloud_and_calls_the_clear_scene_clear(shared_data):
    assert find_spec("ukis_csmask") is not None
    import rasterio

    planes = []
    for name in ("s2_cloudy.tif", "s2_cloudfree.tif"):
        with rasterio.open(shared_data / "patch13" / name) as file:
            planes.append(file.read() * np.float32(1e-4))
    scene = np.stack(planes)
    bands = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12")
    detector = csmask_detector(bands, 10.0)
    found = detector.find(scene[:, [bands.index(band) for band in detector.bands]], np.ones((2, 256, 256), dtype=bool))
    assert found.cloud[0].mean() > 0.5
    assert (found.cloud | found.shadow)[1].mean() < 0.05

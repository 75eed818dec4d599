"""SEN12MS-CR and SEN12MS-CR-TS: files as published, splits by whole names, dates by the authors' rule, no pickles."""

import json
import re
import shutil

import numpy as np
import pytest
from sen12_trees import DATES, clear_dn, cloudy_dn, write_series, write_triplet
from sequence_files import write_tif

from seq2seq.datasets import DATASETS, find_dataset
from seq2seq.datasets.cloud_score import cloud_or_shadow, find_clouds, published_mask
from seq2seq.datasets.date_pairs import DatePair, choose_pair
from seq2seq.datasets.sen12mscr import SPLITS, open_patches
from seq2seq.datasets.sen12mscrts import SPLITS as SERIES_SPLITS
from seq2seq.datasets.sen12mscrts import open_series, open_triplets
from seq2seq.errors import ConfigError, InputError, InvalidPixelsError, MissingDataError

PAIRS = "3_test_s2cloudless_mask"


def test_splits_are_the_published_ones_and_share_no_area():
    assert [len(SPLITS[name]) for name in ("train", "val", "test")] == [155, 10, 10]
    assert [len(SERIES_SPLITS[name]) for name in ("train", "val", "test")] == [35, 5, 13]
    for splits in (SPLITS, SERIES_SPLITS):
        areas = [area for names in splits.values() for area in names]
        assert len(areas) == len(set(areas))
    assert {"ROIs1158_spring/106", "ROIs1868_summer/73", "ROIs2017_winter/63"} <= set(SPLITS["test"])
    assert {"ROIs1868/119", "ROIs1970/20", "ROIs2017/140", "ROIs1158/106"} <= set(SERIES_SPLITS["test"])


def test_no_area_of_the_test_split_of_one_set_is_trained_on_in_the_other_but_the_one_that_is_known():
    test_of_series = {tuple(re.findall(r"\d+", area)) for area in SERIES_SPLITS["test"]}
    train = {tuple(re.findall(r"\d+", area)) for area in SPLITS["train"]}
    assert test_of_series & train == {("1868", "100")}


def test_a_triplet_is_reflectance_and_decibels_of_one_date(tmp_path):
    clear = clear_dn(1)
    clear[0, 0, 0] = 12_345  # clipped
    write_triplet(tmp_path, clear=clear)
    samples = open_patches(tmp_path, "test")
    sample = samples[0]
    assert samples.name(0) == sample.name == "ROIs1158_spring/106/p30"
    assert sample.s2.shape == (1, 13, 32, 32)
    assert sample.s1.shape == (1, 2, 32, 32)
    np.testing.assert_allclose(sample.truth[0], np.minimum(clear, 10_000) / 10_000, rtol=1e-6)
    assert sample.asked.tolist() == sample.dates.tolist()
    assert sample.scored.all()
    assert sample.cloud[0, 2:14].all()
    assert not sample.cloud[0, 20:].any()
    assert -30 < sample.s1.mean() < 0


def test_areas_are_found_by_their_whole_names(tmp_path):
    """Area 1 of spring is in the training split, and its name begins those of 106 and 123 of the test split."""
    for area, patch in (("ROIs1158_spring/1", 5), ("ROIs1158_spring/106", 30), ("ROIs1158_spring/106", 4)):
        write_triplet(tmp_path, area, patch)
    names = {
        split: [s.name(n) for n in range(len(s))] for split in ("train", "test") if (s := open_patches(tmp_path, split))
    }
    assert names == {
        "train": ["ROIs1158_spring/1/p5"],
        "test": ["ROIs1158_spring/106/p4", "ROIs1158_spring/106/p30"],
    }


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(InputError, match="is not a folder"):
        open_patches(tmp_path / "nowhere", "test")
    with pytest.raises(
        MissingDataError, match=r"no cloudy patch of the test split of SEN12MS-CR, such as ROIs1158_spring"
    ):
        open_patches(tmp_path, "test")
    with pytest.raises(ConfigError, match="must be one of train, val, test"):
        open_patches(tmp_path, "tset")
    write_triplet(tmp_path, sensors=("s2", "s2_cloudy"))
    with pytest.raises(MissingDataError, match=r"_s1_106_p30.tif: is missing.*unpack ROIs1158_spring_s1"):
        open_patches(tmp_path, "test")
    write_triplet(tmp_path, patch=31)
    assert len(open_patches(tmp_path, "test")) == 1, "a patch that lacks one of the three is left out"


def test_a_patch_of_other_bands_or_another_size_is_refused_with_its_name(tmp_path):
    write_triplet(tmp_path, clear=clear_dn(1, bands=12))
    with pytest.raises(InvalidPixelsError, match=r"_s2_106_p30\.tif: has 12 bands, this data set has 13"):
        open_patches(tmp_path, "test")[0]
    write_triplet(tmp_path, clear=clear_dn(1, side=16))
    with pytest.raises(InputError, match=r"32 x 32 px.*16 x 16 px"):
        open_patches(tmp_path, "test")[0]


def test_a_broken_file_is_named_without_a_date_that_nobody_knows(tmp_path):
    write_triplet(tmp_path)
    (broken,) = (tmp_path / "ROIs1158_spring_s2").glob("*/*.tif")
    broken.write_bytes(b"")
    with pytest.raises(InputError, match=r"_s2_106_p30\.tif: is empty") as found:
        open_patches(tmp_path, "test")[0]
    assert (found.value.file, found.value.date) == (str(broken), None)


def test_a_cloud_is_found_and_snow_is_none():
    image = cloudy_dn(0, slice(0, 16)) / np.float32(10_000)
    assert find_clouds(image)[2:14].all()
    assert not find_clouds(image)[20:].any()
    snow = image.copy()
    snow[11] = 0.05  # ice absorbs at 1.6 um
    assert not find_clouds(snow)[2:14].any()
    assert cloud_or_shadow(np.zeros_like(image)).all()
    # The published rule takes all ground for shadow where much of the image is cloud; what methods see goes by ours.
    assert published_mask(image)[20:30].all()
    assert not cloud_or_shadow(image)[20:].any()


def test_the_target_is_the_least_cloudy_date_and_never_an_input():
    assert choose_pair([0.5, 0.9, 0.2, 0.0, 0.3]) == DatePair((0, 1, 2), 3)
    assert choose_pair([0.0, 0.9, 0.2, 0.0, 0.3]) == DatePair((1, 2, 3), 0), "the earliest of two"
    assert choose_pair([0.1, 0.2, 0.3]) is None


def test_three_dates_are_shown_and_the_clear_one_is_asked_for_with_its_radar(tmp_path):
    write_series(tmp_path)
    sample = open_triplets(tmp_path, "test")[0]
    assert sample.dates.astype(str).tolist() == list(DATES[:3])
    assert sample.asked.astype(str).tolist() == [DATES[3]]
    np.testing.assert_allclose(sample.truth[0] * 10_000, clear_dn(3), rtol=1e-5)
    assert sample.s1.shape == (3, 2, 32, 32)
    assert sample.asked_s1.shape == (1, 2, 32, 32)
    assert not np.isin(sample.asked, sample.dates).any()


def test_a_series_has_all_dates_and_scores_nothing_by_itself(tmp_path):
    write_series(tmp_path)
    sample = open_series(tmp_path, "test")[0]
    assert sample.dates.astype(str).tolist() == list(DATES)
    assert not sample.scored.any()


@pytest.mark.parametrize("suffix", [".json", ".npz"])
def test_official_pairs_are_read_where_they_were_converted(tmp_path, suffix):
    write_series(tmp_path)
    if suffix == ".json":
        (tmp_path / f"{PAIRS}.json").write_text(json.dumps([[[4, 1, 2], 5]]))
    else:
        np.savez(tmp_path / f"{PAIRS}.npz", input=np.array([[4, 1, 2]]), target=np.array([5]))
    sample = open_triplets(tmp_path, "test")[0]
    assert sample.dates.astype(str).tolist() == [DATES[1], DATES[2], DATES[4]]
    assert sample.asked.astype(str).tolist() == [DATES[5]]


def test_a_pickle_is_never_loaded_and_the_remedy_is_named(tmp_path):
    write_series(tmp_path)

    class Trap:
        def __reduce__(self):
            return (shutil.rmtree, (str(tmp_path / "ROIs1158"),))

    np.save(tmp_path / f"{PAIRS}.npy", np.array(Trap(), dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match=r"is a pickle.*never loaded.*python -c .*move it away"):
        open_triplets(tmp_path, "test")
    np.savez(tmp_path / f"{PAIRS}.npz", input=np.array(Trap(), dtype=object))
    with pytest.raises(InputError, match="has no whole numbers"):
        open_triplets(tmp_path, "test")
    assert (tmp_path / "ROIs1158" / "106").is_dir()


def test_pairs_that_cannot_be_are_refused(tmp_path):
    write_series(tmp_path)
    pairs = tmp_path / f"{PAIRS}.json"
    for text, message in (
        ("[[[0, 1, 2], 2]]", "its target, number 2, is also an input"),
        ("[[[0, 1, 2], 29]]", "it has 6 dates"),
        ("[[[0, 1, 2], 3], [[0, 1, 2], 3]]", "has 1 patches of the test split and 2 official pairs"),
        ("[[[0, 1, 2], 0.5]]", "must be whole numbers"),
        ("{", "is no list"),
    ):
        pairs.write_text(text)
        with pytest.raises(InputError, match=re.escape(message)):
            open_triplets(tmp_path, "test")[0]


def test_a_series_without_radar_or_in_disorder_is_refused(tmp_path):
    with pytest.raises(MissingDataError, match="no patch of the test split of SEN12MS-CR-TS, such as ROIs1158/106/S2"):
        open_series(tmp_path, "test")
    write_series(tmp_path, radar=False)
    with pytest.raises(MissingDataError, match="has no S1 folder"):
        open_series(tmp_path, "test")
    write_series(tmp_path)
    next((tmp_path / "ROIs1158/106/S1/4").glob("*.tif")).unlink()
    with pytest.raises(MissingDataError, match=r"S1/4: has no Sentinel-1 patch 0"):
        open_series(tmp_path, "test")
    write_series(tmp_path)
    next((tmp_path / "ROIs1158/106/S2/5").glob("*.tif")).unlink()
    write_tif(tmp_path / "ROIs1158/106/S2/5/s2_ROIs1158_106_ImgNo_5_2018-01-01_patch_0.tif", clear_dn(0))
    with pytest.raises(InputError, match="is of 2018-01-01, the acquisition before it of 2018-03-26"):
        open_series(tmp_path, "test")


def test_every_data_set_says_what_it_is():
    for info in DATASETS:
        assert find_dataset(info.name) is info
        assert info.source
        assert info.licence
        assert info.bands


def test_a_real_triplet_is_read(tmp_path, shared_data):
    for sensor, name in (("s1", "s1"), ("s2", "s2_cloudfree"), ("s2_cloudy", "s2_cloudy")):
        folder = tmp_path / f"ROIs1158_spring_{sensor}" / f"{sensor}_106"
        folder.mkdir(parents=True)
        shutil.copy(shared_data / "patch13" / f"{name}.tif", folder / f"ROIs1158_spring_{sensor}_106_p30.tif")
    sample = open_patches(tmp_path, "test")[0]
    assert sample.truth.shape == (1, 13, 256, 256)
    assert 0.3 < sample.cloud.mean() <= 1
    assert sample.s1.min() < -30


def test_clouds_of_a_real_series_are_found(tmp_path, shared_data):
    """Two of its eight dates are white all over; the rule with the loaders' limits finds no cloud on them."""
    shutil.copytree(shared_data / "formats" / "sen12mscrts", tmp_path, dirs_exist_ok=True)
    with pytest.raises(MissingDataError, match="146: has no S1 folder"):
        open_series(tmp_path, "train")
    for path in (tmp_path / "ROIs2017/146/S2").glob("*/*.tif"):
        radar = tmp_path / "ROIs2017/146/S1" / path.parent.name / path.name.replace("s2_", "s1_")
        write_tif(radar, np.full((2, 64, 64), -12, np.float32))
    share = open_series(tmp_path, "train")[0].cloud.mean(axis=(1, 2))
    assert share[1:3].min() > 0.95
    assert np.delete(share, [1, 2]).max() < 0.2

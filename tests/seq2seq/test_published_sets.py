"""AllClear, PASTIS-R and EarthNet2021: files as published, lazily, without pickles or links out; their scores."""

import json
import math
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from sequence_files import write_tif

from seq2seq.config import ReconstructionConfig
from seq2seq.datasets import find_dataset
from seq2seq.datasets.allclear import INDICES, ROIS, open_index
from seq2seq.datasets.arrays import read_npy, read_npz
from seq2seq.datasets.earthnet import open_cubes
from seq2seq.datasets.pastis import open_patches
from seq2seq.errors import ConfigError, InputError, InvalidPixelsError, MissingDataError, UnreadableFileError
from seq2seq.evaluation import PROTOCOLS, find_protocol, protocols_of
from seq2seq.evaluation.metrics import sam_degrees
from seq2seq.evaluation.protocols.allclear import sam_along_rows, ssim_masked
from seq2seq.evaluation.protocols.earthnet import random_clouds
from seq2seq.evaluation.protocols.pastis import hide_clouds, hide_frame
from seq2seq.evaluation.runner import evaluate, make_plan
from seq2seq.evaluation.showing import show

SIDE = 24
SCRATCH = "/scratch/allclear/dataset_v3/dataset_30k_v4"
NEW = ("allclear", "pastis", "earthnet")


class Loud:
    """Says so when it is unpickled."""

    def __reduce__(self):
        return (pytest.fail, ("a pickle was loaded",))


def metric_of(protocol, name):
    return next(metric for metric in find_protocol(protocol).metrics if metric.name == name)


# --- AllClear ---


def image_path(day, sensor="s2_toa", roi="roi1"):
    return f"{roi}/2022_3/{sensor}/{roi}_{sensor}_2022_3_{day}_median.tif"


def write_allclear(root, *, days=(3, 13, 23), target=18, radar=(4, 24), split="test-light", prefix=SCRATCH, side=300):
    rng = np.random.default_rng(0)
    for day in (*days, target):
        write_tif(root / "data" / image_path(day), rng.integers(300, 1500, (13, side, side)).astype(np.float32) + day)
        masks = np.zeros((5, side, side), dtype=np.float32)
        masks[0], masks[2] = 1, 1  # neither of them is scored by
        masks[1, :100], masks[4, 100:140] = 1, 1
        write_tif(root / "data" / image_path(day, "cld_shdw"), masks)
    for day in radar:
        write_tif(root / "data" / image_path(day, "s1"), np.full((2, side, side), -day, np.float32) * [[[1]], [[2]]])
    entry = {"roi": ["roi1", [1.0, 2.0]]} | {
        key: [[f"2022-03-{day:02} 00:13:45", f"{prefix}/{image_path(day, sensor)}"] for day in listed]
        for key, sensor, listed in (("s2_toa", "s2_toa", days), ("s1", "s1", radar), ("target", "s2_toa", (target,)))
    }
    index = root / "metadata" / "datasets" / INDICES[split]
    index.parent.mkdir(parents=True, exist_ok=True)
    index.write_text(json.dumps({"roi1_2022-03-03_2022-03-23": entry}))
    return index


def test_allclear_is_cropped_in_the_middle_scaled_and_masked_by_bands_2_and_5(tmp_path):
    write_allclear(tmp_path)
    samples = open_index(tmp_path, "test-light")
    sample = samples[0]
    assert samples.name(0) == sample.name == "roi1_2022-03-03_2022-03-23"
    assert sample.s2.shape == (3, 13, 256, 256)
    assert sample.dates.astype(str).tolist() == ["2022-03-03", "2022-03-13", "2022-03-23"]
    assert sample.asked.astype(str).tolist() == ["2022-03-18"]
    top = 300 // 2 - 128
    assert not sample.scored[0, : 140 - top].any()
    assert sample.scored[0, 140 - top :].all()
    assert sample.cloud[:, : 140 - top].all()
    assert 0.03 < sample.truth.mean() < 0.16


def test_allclear_radar_goes_to_dates_within_two_days_and_is_clipped(tmp_path):
    write_allclear(tmp_path, radar=(4, 24, 30))
    sample = open_index(tmp_path, "test-light")[0]
    np.testing.assert_array_equal(sample.s1[0, :, 0, 0], [-4, -8])
    assert np.isnan(sample.s1[1]).all()
    np.testing.assert_array_equal(sample.s1[2, :, 0, 0], [-24, -32.5])
    assert np.isnan(sample.asked_s1).all()


def test_allclear_shows_nothing_of_a_date_that_is_asked_for(tmp_path):
    write_allclear(tmp_path, days=(3, 18, 23))
    sample = open_index(tmp_path, "test-light")[0]
    assert sample.dates.astype(str).tolist() == ["2022-03-03", "2022-03-23"]
    shown = show(sample, "seen")
    assert not shown.observations.s2.observed[shown.asked].any()


def test_allclear_paths_may_not_leave_the_folder_nor_links(tmp_path):
    root = tmp_path / "set"
    write_allclear(root, prefix="../elsewhere")
    with pytest.raises(InputError, match=r"leaves .*only files inside"):
        open_index(root, "test-light")[0]
    write_allclear(root)
    secret = write_tif(tmp_path / "secret.tif", np.ones((13, 300, 300), np.float32))
    image = root / "data" / image_path(13)
    image.unlink()
    image.symlink_to(secret)
    with pytest.raises(InputError, match=r"2022_3_13_median\.tif: leaves"):
        open_index(root, "test-light")[0]


def test_allclear_samples_are_of_the_places_of_the_test_split(tmp_path):
    write_allclear(tmp_path)
    listing = tmp_path / "metadata" / "rois" / ROIS
    listing.parent.mkdir()
    listing.write_text("roi1\nroi2\n")
    assert len(open_index(tmp_path, "test-light")) == 1
    listing.write_text("roi2\n")
    with pytest.raises(InputError, match=r"is of roi1, which .* does not list"):
        open_index(tmp_path, "test-light")


def test_allclear_reads_no_image_before_it_is_asked_for_and_names_what_is_missing(tmp_path):
    index = write_allclear(tmp_path)
    (tmp_path / "data" / image_path(13, "cld_shdw")).unlink()
    samples = open_index(tmp_path, "test-light")
    with pytest.raises(MissingDataError, match=r"cld_shdw_2022_3_13_median\.tif: is missing"):
        samples[0]
    with pytest.raises(MissingDataError, match=r"no metadata/datasets/test_tx3_s2-s1_100pct\.json"):
        open_index(tmp_path, "test")
    index.write_text('{"a": {"roi": ["r", 1], "target": 5}}')
    with pytest.raises(UnreadableFileError, match=r"no `roi` or no list of \[time, path\] as `target`"):
        _ = open_index(tmp_path, "test-light")[0]
    index.write_text("[")
    with pytest.raises(UnreadableFileError, match="cannot be read"):
        open_index(tmp_path, "test-light")


def test_the_two_spectral_angles_of_allclear_differ_as_computed_by_hand():
    # Two bands, two rows, one column; p turns each spectrum by 90 degrees and keeps the direction of each column.
    truth = np.array([[[1.0], [1.0]], [[0.0], [0.0]]], np.float32)[None]
    prediction = np.array([[[0.0], [0.0]], [[1.0], [1.0]]], np.float32)[None]
    where = np.ones((1, 2, 1), bool)
    # Along rows: (1, 1) against (0, 0), and the reverse: no direction, a product of 0, 90 degrees.
    assert sam_along_rows(prediction, truth, where) == pytest.approx(90)
    assert sam_degrees(prediction, truth, where) == pytest.approx(90)
    doubled = np.array([[[0.2], [0.4]], [[0.4], [0.2]]], np.float32)[None]
    same = np.array([[[0.1], [0.2]], [[0.4], [0.2]]], np.float32)[None]
    assert sam_along_rows(same, doubled, where) == pytest.approx(0, abs=1e-3)
    spectra = [
        math.degrees(math.acos(np.dot(p, y) / np.linalg.norm(p) / np.linalg.norm(y)))
        for p, y in (((0.1, 0.4), (0.2, 0.4)), ((0.2, 0.2), (0.4, 0.2)))
    ]
    assert sam_degrees(same, doubled, where) == pytest.approx(np.mean(spectra), abs=1e-3)


def test_pixels_that_are_not_scored_change_ssim_of_allclear_nowhere():
    rng = np.random.default_rng(1)
    truth, prediction = rng.random((2, 1, 3, 32, 32)).astype(np.float32)
    where = rng.random((1, 32, 32)) > 0.3
    other = np.where(where[:, None], prediction, rng.random(prediction.shape).astype(np.float32))
    assert ssim_masked(prediction, truth, where) == ssim_masked(other, truth, where)
    assert ssim_masked(truth, truth, where) == pytest.approx(1)
    assert ssim_masked(prediction, truth, where) < 0.5


# --- PASTIS-R ---

S2_DAYS = np.datetime64("2018-09-20") + 10 * np.arange(12)


def pastis_dn(dates=12, side=SIDE, seed=0):
    rng = np.random.default_rng(seed)
    image = rng.integers(300, 1500, (1, 10, side, side)) + rng.integers(0, 60, (dates, 10, side, side))
    image[2, :, :12] = 7000  # clouds
    image[5, :, :, :10] = 7000
    return image.astype(np.int16)


def write_pastis(root, patches=((10000, 1), (10001, 5)), *, s2=None):
    passes = S2_DAYS[0] - 1 + 6 * np.arange(15)
    listed = []
    for number, fold in patches:
        for folder, name, values in (
            ("DATA_S2", f"S2_{number}.npy", pastis_dn() if s2 is None else s2),
            (
                "DATA_S1A",
                f"S1A_{number}.npy",
                np.full((15, 3, SIDE, SIDE), -10, np.float32) - np.arange(15)[:, None, None, None],
            ),
        ):
            (root / folder).mkdir(parents=True, exist_ok=True)
            np.save(root / folder / name, values, allow_pickle=True)
        days = {
            f"dates-{sensor}": {str(n): int(str(day).replace("-", "")) for n, day in enumerate(dates)}
            for sensor, dates in (("S2", S2_DAYS), ("S1A", passes))
        }
        listed.append({"id": str(number), "properties": {"ID_PATCH": number, "Fold": fold, **days}})
    (root / "metadata.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": listed}))


def test_folds_of_pastis_are_tested_on_apart_from_the_other_four(tmp_path):
    write_pastis(tmp_path, tuple((10000 + n, n) for n in range(1, 6)))
    for fold in range(1, 6):
        test, train = (open_patches(tmp_path, f"{kind}-{fold}") for kind in ("fold", "train"))
        assert [test.name(n) for n in range(len(test))] == [str(10000 + fold)]
        assert {train.name(n) for n in range(len(train))} == {str(10000 + n) for n in range(1, 6)} - {test.name(0)}
    with pytest.raises(ConfigError, match="split of PASTIS-R"):
        open_patches(tmp_path, "test")


def test_pastis_is_clipped_at_8000_and_each_date_gets_the_nearest_pass(tmp_path):
    dn = pastis_dn()
    dn[0, 0, 0, 0] = 9000
    write_pastis(tmp_path, s2=dn)
    sample = open_patches(tmp_path, "fold-1")[0]
    np.testing.assert_allclose(sample.s2, np.minimum(dn, 8000) / 8000, rtol=1e-6)
    assert sample.s1.shape == (12, 2, SIDE, SIDE)
    # The second date is 10 days after the first, 11 after the first pass: the third pass, day 12, is a day away.
    assert sample.s1[1, 0, 0, 0] == -12
    assert np.isnan(sample.s1[-1]).all(), "the last pass is 27 days before the last date"
    assert sample.cloud[2, 2:10].all()
    assert sample.cloud.mean() < 0.25


def test_hidden_pixels_of_pastis_are_gone_and_asked_for(tmp_path):
    write_pastis(tmp_path)
    sample = open_patches(tmp_path, "fold-1")[0]
    for gap in (hide_clouds, hide_frame):
        asking = gap(sample, np.random.default_rng(3))
        again = gap(sample, np.random.default_rng(3))
        np.testing.assert_array_equal(asking.scored, again.scored)
        at = np.searchsorted(sample.dates, asking.asked)
        assert asking.scored.any(axis=(1, 2)).all()
        assert not (asking.valid[at] & asking.scored).any()
        assert not asking.s2[at].transpose(0, 2, 3, 1)[asking.scored].any()
        assert not (sample.cloud[at] & asking.scored).any()
        np.testing.assert_array_equal(asking.truth, sample.s2[at])
        shown = show(asking, "seen")
        assert not (shown.observations.s2.observed[shown.asked] & asking.scored).any()
    frame = hide_frame(sample, np.random.default_rng(3))
    assert len(frame.asked) == 1
    assert not frame.valid[np.searchsorted(sample.dates, frame.asked[0])].any()
    assert frame.asked[0] not in (sample.dates[0], sample.dates[-1])


def test_errors_of_pastis_are_scored_on_hidden_pixels_alone(tmp_path):
    write_pastis(tmp_path)
    asking = hide_clouds(open_patches(tmp_path, "fold-1")[0], np.random.default_rng(3))
    prediction = np.where(asking.scored[:, None], asking.truth + np.float32(0.01), np.float32(0.9))
    # 80 of 8000 DN; over 10000 the same error would score 1.94 dB higher, as a note says.
    psnr = metric_of("pastis-clouds", "PSNR")
    assert psnr.of(prediction, asking) == pytest.approx(40, abs=0.01)
    over_10000 = replace(asking, truth=asking.truth * np.float32(0.8))
    assert psnr.of(prediction * np.float32(0.8), over_10000) == pytest.approx(41.94, abs=0.01)
    assert any("1.94 dB higher" in note for note in find_protocol("pastis-clouds").notes)
    assert metric_of("pastis-clouds", "MAE").of(prediction, asking) == pytest.approx(0.01, abs=1e-5)


def test_what_is_wrong_with_pastis_is_named(tmp_path):
    with pytest.raises(MissingDataError, match=r"metadata\.geojson: is missing"):
        open_patches(tmp_path, "fold-1")
    write_pastis(tmp_path, s2=pastis_dn(dates=11))
    with pytest.raises(InvalidPixelsError, match=r"S2_10000\.npy: has 11 images, metadata.geojson has 12 dates"):
        open_patches(tmp_path, "fold-1")[0]
    write_pastis(tmp_path, s2=np.array([[Loud()]], dtype=object))
    with pytest.raises(UnreadableFileError, match=r"S2_10000\.npy: is a pickle.*convert it: python -c"):
        open_patches(tmp_path, "fold-1")[0]
    with pytest.raises(MissingDataError, match="lists no patch of Fold 3"):
        open_patches(tmp_path, "fold-3")
    (tmp_path / "metadata.geojson").write_text('{"features": [{"properties": {"ID_PATCH": 1, "Fold": 9}}]}')
    with pytest.raises(UnreadableFileError, match=r"feature 0 .*Fold is 9, must be 1 to 5"):
        open_patches(tmp_path, "fold-1")


def test_one_sample_of_pastis_is_read_without_the_others(tmp_path):
    write_pastis(tmp_path, ((10000, 1), (10001, 1)))
    (tmp_path / "DATA_S2" / "S2_10001.npy").write_bytes(b"broken")
    samples = open_patches(tmp_path, "fold-1")
    assert samples[0].name == "10000"
    with pytest.raises(UnreadableFileError, match=r"S2_10001\.npy: cannot be read"):
        samples[1]


# --- EarthNet2021 ---

CUBE = "29SND_2017-06-20_2017-11-16_2105_2233_3385_3513_32_112_50_130"


def cube_values(side=SIDE, dates=30, channels=5):
    values = np.random.default_rng(0).uniform(0.05, 0.3, (side, side, channels, dates)).astype(np.float16)
    values[:, :, -1] = 0
    values[:8, :, -1, 3::4] = 1  # a third of each fourth date
    values[:, :, :4, 5] = np.nan
    return values


def write_earthnet(root, values=None):
    values = cube_values() if values is None else values
    for part, images in (("context", values[..., :10]), ("target", values[..., 10:])):
        path = root / "iid_test_split" / part / "29SND" / f"{part}_{CUBE}.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(path, highresdynamic=images)


def test_both_parts_of_an_earthnet_cube_are_one_sequence_every_five_days(tmp_path):
    write_earthnet(tmp_path)
    samples = open_cubes(tmp_path, "iid")
    sample = samples[0]
    assert samples.name(0) == CUBE
    assert sample.s2.shape == (30, 4, SIDE, SIDE)
    assert sample.bands == ("B02", "B03", "B04", "B8A")
    assert sample.dates[[0, 1, -1]].astype(str).tolist() == ["2017-06-24", "2017-06-29", "2017-11-16"]
    assert sample.s1 is None
    assert not sample.valid[5].any()
    assert sample.cloud[3, :8].all()
    assert not sample.cloud[3, 8:].any()


def test_hdf5_of_utilise_gives_the_same_sample_and_no_link_is_followed(tmp_path):
    h5py = pytest.importorskip("h5py")
    write_earthnet(tmp_path / "npz")
    path = tmp_path / "iid_test_split.hdf5"
    with h5py.File(path, "w") as file:
        group = file.create_group(f"iid_test_split/29SND/{CUBE}")
        group.create_dataset("highresdynamic", data=cube_values(), compression="gzip")
    ours, theirs = open_cubes(tmp_path, "iid"), open_cubes(tmp_path / "npz", "iid")
    assert ours.name(0) == theirs.name(0)
    np.testing.assert_array_equal(ours[0].s2, theirs[0].s2)
    with h5py.File(path, "a") as file:
        del file[f"iid_test_split/29SND/{CUBE}/highresdynamic"]
        file[f"iid_test_split/29SND/{CUBE}/highresdynamic"] = h5py.ExternalLink("/etc/other.hdf5", "/x")
    with pytest.raises(UnreadableFileError, match="highresdynamic is a link to elsewhere"):
        open_cubes(tmp_path, "iid")[0]
    path.write_bytes(b"none")
    with pytest.raises(UnreadableFileError, match=r"iid_test_split\.hdf5: is no HDF5"):
        open_cubes(tmp_path, "iid")


def test_hdf5_says_that_it_holds_more_than_is_read(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "ood_test_split.hdf5", "w") as file:
        file.create_dataset(
            f"ood_test_split/29SND/{CUBE}/highresdynamic", (10**6, 10**6, 5, 30), dtype="f4", chunks=(8, 8, 5, 30)
        )
    with pytest.raises(UnreadableFileError, match=r"ood_test_split\.hdf5: says that it holds"):
        open_cubes(tmp_path, "ood")[0]


def test_random_clouds_keep_clear_dates_and_the_first_whole(tmp_path):
    write_earthnet(tmp_path)
    sample = open_cubes(tmp_path, "iid")[0]
    clear = (sample.cloud.mean(axis=(1, 2)) < 0.05) & sample.valid.any(axis=(1, 2))
    counts = set()
    for seed in range(12):
        asking = random_clouds(sample, np.random.default_rng(seed))
        np.testing.assert_array_equal(asking.dates, sample.dates[clear])
        assert asking.dates[0] not in asking.asked
        assert 1 <= len(asking.asked) <= math.ceil(clear.sum() / 2)
        at = np.searchsorted(asking.dates, asking.asked)
        assert not (asking.valid[at] & asking.scored).any()
        assert asking.scored.mean() == pytest.approx(1 / 3), "the shapes are those of the cube's own clouds"
        counts.add(len(asking.asked))
    assert len(counts) > 2


def test_a_cube_of_four_clear_dates_asks_for_nothing(tmp_path):
    values = cube_values()
    values[:, :, -1, 4:] = 1
    values[:, :, -1, :4] = 0
    write_earthnet(tmp_path, values)
    assert not random_clouds(open_cubes(tmp_path, "iid")[0], np.random.default_rng(0)).asked.size


def test_what_is_wrong_with_earthnet_is_named(tmp_path):
    with pytest.raises(MissingDataError, match=r"no cube of the ood split .*ood_test_split/context/TILE/context_\*"):
        open_cubes(tmp_path, "ood")
    write_earthnet(tmp_path)
    context = next(tmp_path.rglob("context_*.npz"))
    next(tmp_path.rglob("target_*.npz")).unlink()
    with pytest.raises(MissingDataError, match=r"target_29SND.*is missing"):
        open_cubes(tmp_path, "iid")[0]
    write_earthnet(tmp_path)
    np.savez(context, highresdynamic=np.array([Loud()], dtype=object))
    with pytest.raises(UnreadableFileError, match=r"context_29SND.*is a pickle"):
        open_cubes(tmp_path, "iid")[0]
    np.savez(context, other=np.zeros(3))
    with pytest.raises(UnreadableFileError, match="has no array `highresdynamic`"):
        open_cubes(tmp_path, "iid")[0]
    secret = tmp_path.parent / "secret.npz"
    np.savez(secret, highresdynamic=cube_values()[..., :10])
    context.unlink()
    context.symlink_to(secret)
    with pytest.raises(InputError, match="leaves"):
        open_cubes(tmp_path, "iid")


# --- all ---


def test_headers_that_promise_too_much_are_refused_before_memory_is_taken(tmp_path):
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (%s), }"
    for shape, message in ((b"1000000, 1000000, 10", "says that it holds"), (b"1000, 1000, 10", "truncated")):
        text = header % shape
        text += b" " * (118 - len(text) - 1 + 64 * 0) + b"\n"
        content = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text
        (tmp_path / "a.npy").write_bytes(content)
        with pytest.raises(UnreadableFileError, match=rf"a\.npy: .*{message}"):
            read_npy(tmp_path / "a.npy")
        with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
            archive.writestr("x.npy", content)
        with pytest.raises(UnreadableFileError, match=rf"a\.npz: .*{message}"):
            read_npz(tmp_path / "a.npz", "x")


@pytest.mark.parametrize(
    ("protocol", "write"),
    [
        ("allclear", write_allclear),
        ("pastis-clouds", write_pastis),
        ("pastis-frames", write_pastis),
        ("earthnet-iid", write_earthnet),
    ],
)
def test_each_protocol_is_evaluated_whole(protocol, write, tmp_path):
    write(tmp_path / "data")
    info = find_protocol(protocol)
    plan = make_plan(info.dataset, ReconstructionConfig(method="linear"), protocol=protocol)
    found = evaluate(tmp_path / "data", tmp_path / "out", plan)
    table = (tmp_path / "out" / "table.md").read_text()
    assert found
    assert all(row.method in table for row in info.published)
    assert "measured here" in table


def test_an_npy_of_another_version_is_refused_as_its_header_may_be_of_gigabytes(tmp_path):
    (tmp_path / "a.npy").write_bytes(b"\x93NUMPY\x02\x00" + (2**31).to_bytes(4, "little") + b" " * 64)
    with pytest.raises(UnreadableFileError, match=r"a\.npy: is of \.npy version \(2, 0\)"):
        read_npy(tmp_path / "a.npy")


def test_each_set_has_a_protocol_whose_split_it_has_and_rows_say_how_sure_they_are():
    for name in NEW:
        info = find_dataset(name)
        protocols = protocols_of(name)
        assert protocols
        for protocol in protocols:
            assert protocol.split in info.splits
            assert protocol.notes
    rows = {
        (p.name, row.method): (row.values, row.certainty) for p in PROTOCOLS if p.dataset in NEW for row in p.published
    }
    assert rows["pastis-clouds", "linear interpolation"] == ({"PSNR": 28.40}, "unverified")
    assert {certainty for _, certainty in rows.values()} == {"unverified", "abstract"}
    assert not [key for key in rows if key[0] == "pastis-frames" and "linear" in key[1]]
    assert not [key for key in rows if key[0].startswith("earthnet")]

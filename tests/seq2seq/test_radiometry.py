import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from seq2seq.errors import InvalidPixelsError
from seq2seq.radiometry import Radiometry, detect_radiometry, detect_s1_units, to_db, to_linear

SENTINEL2 = Radiometry("uint16", 1e-4, 0.0, 0)
BASELINE_0400 = Radiometry("uint16", 1e-4, -0.1, 0)


def detect(dtype="uint16", scale=1.0, offset=0.0, nodata=0.0):
    return detect_radiometry("a.tif", dtype=dtype, scales=(scale, scale), offsets=(offset, offset), nodata=nodata)


@pytest.mark.parametrize("radiometry", [SENTINEL2, BASELINE_0400, Radiometry("uint16", 1e-4, 0.0, 65535)])
def test_every_dn_survives_the_way_to_reflectance_and_back(radiometry):
    dn = np.arange(65536, dtype=np.uint16)
    dn = dn[dn != radiometry.nodata]
    back = radiometry.to_dn(radiometry.to_reflectance(dn))
    assert back.dtype == np.uint16
    assert np.array_equal(back, dn)


def test_every_signed_dn_survives_too():
    radiometry = Radiometry("int16", 1e-4, 0.0, -9999)
    dn = np.arange(-32768, 32768).astype(np.int16)
    dn = dn[dn != -9999]
    assert np.array_equal(radiometry.to_dn(radiometry.to_reflectance(dn)), dn)


@given(hnp.arrays(np.float32, st.integers(1, 30), elements=st.floats(-10, 10, width=32)))
def test_no_reflectance_becomes_the_nodata_value_and_rounding_costs_half_a_dn(reflectance):
    for nodata in (0, 65535, 3000):
        radiometry = Radiometry("uint16", 1e-4, 0.0, nodata)
        dn = radiometry.to_dn(reflectance)
        assert not (dn == nodata).any()
        inside = (reflectance > 0.0002) & (reflectance < 6.5) & (abs(reflectance - nodata * 1e-4) > 2e-4)
        assert np.abs(radiometry.to_reflectance(dn) - reflectance)[inside].max(initial=0) <= 0.51e-4


@given(hnp.arrays(np.float32, st.integers(1, 30), elements=st.floats(-1, 2, width=32)))
def test_float_reflectance_is_stored_as_it_is_except_on_the_nodata_value(reflectance):
    radiometry = Radiometry("float32", 1.0, 0.0, 0.0)
    stored = radiometry.to_dn(reflectance)
    assert not (stored == 0).any()
    assert np.array_equal(stored[reflectance != 0], reflectance[reflectance != 0])
    assert np.allclose(stored, reflectance, atol=1e-30)


def test_nan_cannot_be_stored():
    with pytest.raises(ValueError, match="NaN"):
        SENTINEL2.to_dn(np.array([0.1, np.nan]))


def test_a_pixel_has_data_only_where_every_band_has():
    dn = np.array([[[0, 5, 5]], [[0, 0, 5]]], dtype=np.uint16)  # (C=2, 1, 3)
    assert SENTINEL2.has_data(dn).tolist() == [[False, False, True]]
    assert Radiometry("uint16", 1e-4, 0, None).has_data(dn).tolist() == [[False, True, True]]
    full = np.array([[[65535]], [[65535]]], dtype=np.uint16)
    assert not Radiometry("uint16", 1e-4, 0, None).has_data(full).any()
    reals = np.array([[[np.nan, 0.1]], [[0.1, 0.1]]], dtype=np.float32)
    assert Radiometry("float32", 1, 0, float("nan")).has_data(reals).tolist() == [[False, True]]


def test_what_the_header_says_decides_and_sentinel_2_is_the_default():
    assert detect() == SENTINEL2
    assert detect(scale=1e-4, offset=-0.1) == BASELINE_0400
    assert detect(offset=-1000.0) == BASELINE_0400
    assert detect("float32", nodata=None) == Radiometry("float32", 1.0, 0.0, None)
    assert detect("float32", scale=1e-4, nodata=None) == Radiometry("float32", 1e-4, 0.0, None)
    assert detect(nodata=-9999.0).nodata is None, "uint16 cannot hold it"
    assert detect(nodata=float("nan")).nodata is None


@pytest.mark.parametrize("dtype", ["int8", "uint8", "complex64", "complex_int16"])
def test_a_dtype_that_holds_no_reflectance_is_refused(dtype):
    with pytest.raises(InvalidPixelsError, match=f"a.tif: dtype {dtype}"):
        detect(dtype)


def test_bands_that_disagree_in_scale_are_refused():
    with pytest.raises(InvalidPixelsError, match=r"a\.tif: bands differ in scale"):
        detect_radiometry("a.tif", dtype="uint16", scales=(1e-4, 1), offsets=(0, 0), nodata=None)
    with pytest.raises(InvalidPixelsError, match="scale must be above 0"):
        detect(scale=-1.0)


@given(hnp.arrays(np.float32, st.integers(1, 30), elements=st.floats(-50, 30, width=32)))
def test_db_and_linear_power_are_inverse(db):
    assert np.allclose(to_db(to_linear(db)), db, atol=1e-4)


@given(hnp.arrays(np.float32, st.integers(1, 30), elements=st.floats(2**-16, 1000, width=32)))
def test_linear_power_and_db_are_inverse(linear):
    assert np.allclose(to_linear(to_db(linear)), linear, rtol=1e-5)


def test_power_that_is_not_positive_is_no_data():
    assert np.isnan(to_db(np.array([0.0, -0.1, np.nan]))).all()


@given(st.integers(0, 1000), st.floats(-20, -2), st.floats(0.5, 5))
def test_s1_units_are_told_from_the_values(seed, mean_db, spread_db):
    db = np.random.default_rng(seed).normal(mean_db, spread_db, 400).astype(np.float32)
    if (db < 0).mean() < 0.5:
        return
    assert detect_s1_units("a.tif", db) == "db"
    assert detect_s1_units("a.tif", to_linear(db)) == "linear"


def test_s1_units_of_nothing_are_unknown_and_of_something_else_refused():
    assert detect_s1_units("a.tif", np.array([np.nan, 0.0])) is None
    with pytest.raises(InvalidPixelsError, match=r"a\.tif: the median is 300"):
        detect_s1_units("a.tif", np.full(9, 300.0))
    with pytest.raises(InvalidPixelsError, match=r"a\.tif: 25% of the values are negative"):
        detect_s1_units("a.tif", np.array([-1.0, 1, 1, 1]))

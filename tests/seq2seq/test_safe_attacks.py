"""A hostile product reaches nothing but itself, and what is wrong with it is said in one line."""

import os
import zipfile

import pytest
from safe_products import metadata_xml, product_name, write_product, zipped

from seq2seq.errors import InputError, MissingDataError, UnreadableFileError, UnsafeArchiveError
from seq2seq.readers import open_sequence
from seq2seq.readers.safe.metadata import read_metadata

FIRST, SECOND, THIRD = "2022-06-05", "2022-06-10", "2022-06-15"
FEW = {"B02": 10, "B03": 10, "B04": 10, "B05": 20}


@pytest.mark.parametrize(
    "head",
    [
        "<!DOCTYPE x>",
        '<!DOCTYPE x [<!ENTITY y SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE x SYSTEM "http://example.org/x.dtd">',
        "<!DOCTYPE x [" + "".join(f'<!ENTITY e{n + 1} "{f"&e{n};" * 10}">' for n in range(12)) + "]>",
    ],
)
def test_metadata_with_a_doctype_are_refused_before_anything_grows(tmp_path, head):
    write_product(tmp_path, FIRST, bands=FEW)
    product = write_product(tmp_path, SECOND, bands=FEW, head=head)
    with pytest.raises(UnreadableFileError, match=rf"{product.name}/MTD_MSIL2A\.xml: .* has a DOCTYPE"):
        open_sequence(tmp_path)


@pytest.mark.parametrize(
    "content",
    [b"", b"<x", b"\xff\xfe<\0", b'<?xml version="1.0" encoding="nonsense"?><x/>', b"<a>" * 200, b" " * (2**23 + 1)],
)
def test_metadata_that_are_no_xml_are_refused_in_one_line(tmp_path, content):
    write_product(tmp_path, FIRST, bands=FEW)
    product = write_product(tmp_path, SECOND, bands=FEW)
    (product / "MTD_MSIL2A.xml").write_bytes(content)
    with pytest.raises(UnreadableFileError, match=r"MTD_MSIL2A\.xml: ") as caught:
        open_sequence(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_doctype_in_another_encoding_is_seen(tmp_path):
    path = tmp_path / "MTD_MSIL2A.xml"
    path.write_text('<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE x><x/>', encoding="utf-16")
    with pytest.raises(UnreadableFileError, match="has a DOCTYPE"):
        read_metadata(path, name="x")


def test_paths_in_metadata_are_never_opened(tmp_path):
    (tmp_path / "secret_B02_10m.jp2").write_bytes(b"secret")
    for day in (FIRST, SECOND):
        product = write_product(tmp_path / "in", day, bands=FEW)
        names = ["../../secret_B02_10m", "/etc/passwd", "GRANULE/../../../secret_B08_10m"]
        facts = {"level": "L2A", "baseline": "02.14", "orbit": 51, "images": names}
        (product / "MTD_MSIL2A.xml").write_text(metadata_xml("../../etc/passwd", day, **facts))
    with open_sequence(tmp_path / "in") as source:
        assert tuple(source.info.bands) == ("B02", "B03", "B04", "B05")
        assert "passwd" not in " ".join(source.info.warnings)


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "many"])
def test_a_quantification_that_can_be_none_is_refused(tmp_path, text):
    write_product(tmp_path, FIRST, bands=FEW)
    write_product(tmp_path, SECOND, bands=FEW, quantification=text)
    with pytest.raises(InputError, match=r"MTD_MSIL2A\.xml: states a quantification of"):
        open_sequence(tmp_path)


def test_offsets_that_differ_between_bands_are_refused(tmp_path):
    write_product(tmp_path, FIRST, bands=FEW)
    product = write_product(tmp_path, SECOND, bands=FEW, baseline="04.00", offset=-1000)
    path = product / "MTD_MSIL2A.xml"
    path.write_text(path.read_text().replace('band_id="3">-1000', 'band_id="3">-500'))
    with pytest.raises(InputError, match=r"states different offsets for its bands .*B04 -500"):
        open_sequence(tmp_path)


def test_a_zip_in_a_product_s_zip_is_refused(tmp_path):
    product = write_product(tmp_path / "plain", FIRST, bands=FEW)
    inner = zipped(product, product / f"{product.name}.zip")
    assert inner.exists()
    zipped(product, tmp_path / "in" / f"{product.name}.zip")
    with pytest.raises(UnsafeArchiveError, match="is an archive within the archive"):
        open_sequence(tmp_path / "in")


def test_zips_within_share_one_budget(tmp_path):
    """Each of them alone would be allowed to grow by 64 MiB."""
    (tmp_path / "in").mkdir()
    for index, day in enumerate((FIRST, SECOND, THIRD)):
        name = product_name(day)
        with zipfile.ZipFile(tmp_path / "in" / f"{name}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            image = f"GRANULE/L2A_T31UFS_A0_{index}/IMG_DATA/R10m/T31UFS_20220605T105031_B02_10m.jp2"
            archive.writestr(f"{name}/{image}", b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(40 * 2**20))
    with pytest.raises(UnsafeArchiveError, match="inflates to"):
        open_sequence(tmp_path / "in")


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a\0b"])
def test_a_product_s_zip_that_leaves_its_folder_is_refused(tmp_path, name):
    with zipfile.ZipFile(tmp_path / f"{product_name(FIRST)}.zip", "w") as archive:
        archive.writestr(f"{name}/GRANULE/g/IMG_DATA/R10m/T31UFS_20220605T105031_B02_10m.jp2", b"x")
    with pytest.raises((UnsafeArchiveError, MissingDataError, UnreadableFileError)):
        open_sequence(tmp_path / f"{product_name(FIRST)}.zip")


def test_a_link_in_a_product_s_zip_is_refused(tmp_path):
    member = zipfile.ZipInfo(f"{product_name(FIRST)}/GRANULE/g/IMG_DATA/R10m/T31UFS_20220605T105031_B02_10m.jp2")
    member.create_system, member.external_attr = 3, 0o120777 << 16
    with zipfile.ZipFile(tmp_path / f"{product_name(FIRST)}.zip", "w") as archive:
        archive.writestr(member, b"/etc/passwd")
    with pytest.raises(UnsafeArchiveError, match="is a link or a device"):
        open_sequence(tmp_path / f"{product_name(FIRST)}.zip")


def test_a_link_in_a_folder_to_what_is_no_image_is_refused_by_its_content(tmp_path):
    write_product(tmp_path, FIRST, bands=FEW)
    product = write_product(tmp_path, SECOND, bands=FEW)
    image = next(product.rglob("*_B02_10m.jp2"))
    image.unlink()
    os.symlink("/etc/passwd", image)
    with pytest.raises(UnreadableFileError, match=r"_B02_10m\.jp2: is not a JPEG 2000 file"):
        open_sequence(tmp_path)

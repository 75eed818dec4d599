"""The table of products: every file of a result belongs to one of them, and nothing heavy is loaded to read it."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from locations import ROOT

from seq2seq.products import PRODUCTS, STYLES, ZARR, ZARR_ZIP, made_by, product_at, top_names
from seq2seq.products.base import COG, DATE, Product
from seq2seq.products.choosing import Outputs, as_single_files, formats, optional_names


def test_names_and_files_are_unique() -> None:
    assert len({product.name for product in PRODUCTS}) == len(PRODUCTS)
    files = [file.path for product in PRODUCTS for file in product.files]
    assert len(set(files)) == len(files)


@pytest.mark.parametrize("product", PRODUCTS, ids=lambda product: product.name)
def test_every_file_leads_back_to_its_product_and_media_type(product: Product) -> None:
    for file in product.files:
        path = file.at("2021-05-01")
        assert product_at(path) is product
        assert product.file_at(path) == file
        assert DATE not in path


@pytest.mark.parametrize(
    "path",
    ["declouded/DATE.tif", "declouded/2021-05-01.tif.aux.xml", "a/declouded/2021-05-01.tif", "reportXjson", "", "stac"],
)
def test_what_is_no_file_of_a_product_is_of_none(path: str) -> None:
    assert product_at(path) is None


def test_a_product_has_a_file_for_each_date_where_it_says_so() -> None:
    for product in PRODUCTS:
        assert any(DATE in file.path for file in product.files) is product.per_date
        assert product.raster is None or (product.per_date and product.media_type == COG)


def test_what_a_run_leaves_is_what_people_know() -> None:
    images = {"declouded", "uncertainty", "cloud_mask"}
    documents = {"report.json", "report.html", "preview.png", "stac"}
    assert _tops(Outputs()) == images | documents
    assert _tops(Outputs(("netcdf", "zarr"))) == {"cube.nc", "cube.zarr"} | documents
    assert _tops(Outputs(("cog",), ("ndvi",))) == {"ndvi"} | images | documents
    everything = _tops(Outputs(formats(), optional_names()))
    assert top_names("run") == everything
    assert top_names("run", "job") - top_names("run") == {"manifest.json", "pictures.zip"}
    assert [product.name for product in made_by("download")] == ["archive"]


def _tops(outputs: Outputs) -> set[str]:
    return {file.path.partition("/")[0] for _, file in outputs.files}


def test_a_style_is_listed_where_its_raster_is_written() -> None:
    listed = {file.path for product, file in Outputs(("cog",), ("ndvi",)).files if product is STYLES}
    assert listed == {f"{name}/DATE.qml" for name in ("declouded", "uncertainty", "cloud_mask", "ndvi")}
    assert product_at("evi/2021-05-01.qml") is STYLES


def test_what_lies_in_a_store_belongs_to_it() -> None:
    assert product_at("cube.zarr/reflectance/c/0/0/1/2") is ZARR
    assert product_at("cube.zarr.zip") is ZARR_ZIP
    assert product_at("cube.zarrs/a") is None
    assert product_at("cube.nc/a") is None


def test_a_store_to_be_sent_is_one_file() -> None:
    assert as_single_files("cog,zarr,netcdf") == "cog,zarr.zip,netcdf"


def test_the_table_is_read_without_numpy() -> None:
    program = "import sys, seq2seq.products; print(*sorted({'numpy', 'rasterio', 'torch'} & set(sys.modules)))"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == ""


def test_no_module_lists_products_by_hand() -> None:
    named = {product.name for product in PRODUCTS} | top_names("run", "job")
    modules = [path for package in ("seq2seq", "worker", "api", "decloud") for path in (ROOT / package).rglob("*.py")]
    assert len(modules) > 100
    lists = [
        f"{path.relative_to(ROOT)}:{line}: {', '.join(sorted(found))}"
        for path in modules
        if path.parent.name != "products"
        for line, texts in _literals(path)
        if len(found := texts & named) > 1
    ]
    assert lists == []


def _literals(path: Path) -> list[tuple[int, set[str]]]:
    """Each tuple, list, set and dict that is written out, with the texts in it."""
    kinds = (ast.Tuple, ast.List, ast.Set, ast.Dict)
    return [
        (node.lineno, {text.value for text in ast.walk(node) if isinstance(text, ast.Constant)})
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, kinds)
    ]

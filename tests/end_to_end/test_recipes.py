"""docs/recipes.md: trees with the names that it shows are read by the commands that it gives."""

import ast
import json
import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pystac
import pytest
from cube_files import coded, cube, to_netcdf
from jp2_files import write_jp2
from locations import ROOT
from loose_images import classes, db, dn, write
from safe_products import write_product
from sen12_trees import write_triplet

import decloud
from seq2seq.commands.main import main
from seq2seq.radiometry import to_linear
from seq2seq.readers import open_sequence
from seq2seq.readers.source import SequenceInfo

PAGE = (ROOT / "docs" / "recipes.md").read_text()
# A day as names have it: with hyphens, without, by its number in the year.
DAYS = (
    ("2021-05-01", "20210501", "2021121"),
    ("2021-05-06", "20210506", "2021126"),
    ("2021-05-11", "20210511", "2021131"),
)
TEN = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12")
L2A_11 = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B09", "B11", "B12")
L1C = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12")
NOTHING = np.zeros((1, 24, 24), np.uint8)
RADAR = ("VV", "VH")


@dataclass(frozen=True)
class Recipe:
    """A section of the page: the files that it shows, its commands, its snippets of Python."""

    title: str
    files: tuple[str, ...]
    commands: tuple[str, ...]
    snippets: tuple[str, ...]


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def recipe(title: str, text: str) -> Recipe:
    files = [line.split()[0] for block in blocks(text, "text") for line in block.splitlines()]
    commands = [line for block in blocks(text, "bash") for line in block.splitlines()]
    return Recipe(title, tuple(files), tuple(commands), tuple(blocks(text, "python")))


PARTS = re.split(r"^## (.+)$", PAGE, flags=re.MULTILINE)
RECIPES = {title: recipe(title, text) for title, text in zip(PARTS[1::2], PARTS[2::2], strict=True)}

Pixels = Callable[[int], np.ndarray]
Rule = tuple[str, Pixels, dict[str, Any]]


def named(name: str, index: int) -> str:
    """As the file of another day is called."""
    for first, other in zip(DAYS[0], DAYS[index], strict=True):
        name = name.replace(first, other)
    return name


def images(*rules: Rule) -> Callable[[Path, Sequence[str]], None]:
    """Writes every file of every day by the first rule whose word is in its name."""

    def build(root: Path, files: Sequence[str]) -> None:
        for file in files:
            pixels, profile = next((pixels, profile) for word, pixels, profile in rules if word in file)
            for index in range(len(DAYS)):
                name = re.sub(r"(?<=/)0(?=/)|(?<=ImgNo_)0", str(index), named(file, index))
                if name.endswith(".jp2"):
                    write_jp2(root / name, pixels(index), **profile)
                else:
                    write(root, name, pixels(index), **profile)

    return build


def power(index: int) -> np.ndarray:
    return to_linear(db(index))


def coarse(index: int) -> np.ndarray:
    return dn(index, side=12)


S2_BESIDE: Rule = ("/S2_", lambda i: dn(i, 4), {"bands": ("B2", "B3", "B4", "B8")})


def catalogue(root: Path, files: Sequence[str]) -> None:
    """Items of pystac, saved by it."""
    made = pystac.Catalog("fields", "fields")
    for index, (day, _, _) in enumerate(DAYS):
        when = np.datetime64(f"{day}T10:50:31").item()
        item = pystac.Item(day, None, None, when, {"platform": "sentinel-2b", "s2:processing_baseline": "02.14"})
        for file in files[1:]:
            path = write(root, named(file, index), classes() if "SCL" in file else dn(index + len(file)))
            item.add_asset(path.stem, pystac.Asset(str(path), media_type=pystac.MediaType.COG))
        item.set_self_href(str(root / named(files[0], index)))
        item.make_asset_hrefs_relative()
        item.save_object()
        made.add_item(item)
    made.set_self_href(str(root / "catalogue" / "catalog.json"))
    made.save_object(include_self_link=False)
    items = pystac.ItemCollection(list(made.get_items()))
    items.save_object(str(root / "items.json"))


def openeo_cubes(root: Path, files: Sequence[str]) -> None:
    times = np.array([day for day, _, _ in DAYS], "datetime64[ns]")
    optical = {band: coded(np.stack([dn(i + k)[0] for i in range(3)])) for k, band in enumerate(TEN)}
    scl = np.stack([classes()[0] for _ in range(3)]).astype(np.int16)
    radar = {band: np.stack([to_linear(db(i + k)[0]) for i in range(3)]) for k, band in enumerate(RADAR)}
    place = {"x": 600_005.0 + 10 * np.arange(24), "y": 5_599_995.0 - 10 * np.arange(24)}
    s2 = cube({**optical, "SCL": scl}, times=times, **place)
    for band in TEN:
        s2[band].attrs["_Unsigned"] = "true"
    to_netcdf(s2, root / files[0])
    to_netcdf(cube(radar, times=times + np.timedelta64(1, "D"), **place), root / files[1])


def one_cube(root: Path, files: Sequence[str]) -> None:
    times = np.array([day for day, _, _ in DAYS], "datetime64[ns]")
    bands = {band: np.stack([dn(i + k)[0] for i in range(3)]) for k, band in enumerate(TEN)}
    radar = {band: np.stack([db(i + k)[0] for i in range(3)]) for k, band in enumerate(RADAR)}
    scl = {"SCL": np.stack([classes()[0] for _ in range(3)])}
    place = {"x": 600_005.0 + 10 * np.arange(24), "y": 5_599_995.0 - 10 * np.arange(24)}
    to_netcdf(cube({**bands, **scl, **radar}, times=times, time="time", **place), root / files[0])


def safe(root: Path, files: Sequence[str]) -> None:
    product, radar = files
    for index, (day, _, _) in enumerate(DAYS):
        scl = np.full((24, 24), 4)
        scl[:6] = 9
        made = write_product(root / Path(product).parent, day, scl=scl)
        assert made.name == Path(named(product, index)).name, "the page shows the name of a product"
        write(root, named(radar, index), db(index, 2, 48), bands=RADAR)


def eopatch(root: Path, files: Sequence[str]) -> None:
    data, mask, timestamps, bbox = (root / file for file in files)
    data.parent.mkdir(parents=True)
    mask.parent.mkdir(parents=True)
    np.save(data, np.stack([np.moveaxis(dn(i, 13), 0, -1) * np.float32(1e-4) for i in range(3)]))
    np.save(mask, np.stack([np.moveaxis(classes() == 9, 0, -1) for _ in range(3)]))
    timestamps.write_text(json.dumps([f"{day}T10:50:31" for day, _, _ in DAYS]))
    corners = [[600_000, 5_599_760], [600_240, 5_599_760], [600_240, 5_600_000], [600_000, 5_600_000]]
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32631"}}
    polygon = {"type": "Polygon", "coordinates": [[*corners, corners[0]]]}
    feature = {"type": "Feature", "properties": {}, "geometry": polygon}
    bbox.write_text(json.dumps({"type": "FeatureCollection", "crs": crs, "features": [feature]}))


@dataclass(frozen=True)
class Expected:
    """What the reader makes of a tree. mask: where its clouds are from."""

    build: Callable[[Path, Sequence[str]], None]
    bands: tuple[str, ...]
    s1: tuple[str, ...] = ()
    mask: str = "scl"


EXPECTED = {
    "decloud fetch (Planetary Computer, Earth Search)": Expected(
        images(
            ("/S2/", lambda i: dn(i, 10), {"bands": TEN}),
            ("/SCL/", lambda _: classes(), {}),
            ("/S1/", lambda i: to_linear(db(i, 2)), {"bands": RADAR, "nodata": -32768}),
        ),
        TEN,
        RADAR,
    ),
    "STAC items": Expected(catalogue, ("B02", "B8A")),
    "openEO (Copernicus Data Space)": Expected(openeo_cubes, TEN, RADAR),
    "Google Earth Engine": Expected(
        images(
            (
                "/S2_SR",
                lambda i: np.concatenate([dn(i, 10), classes().astype(np.uint16)]),
                {"bands": [*(band.replace("B0", "B") for band in TEN), "SCL"]},
            ),
            ("/S1_GRD", lambda i: db(i, 2), {"bands": RADAR}),
        ),
        TEN,
        RADAR,
    ),
    "SAFE products (Copernicus Data Space)": Expected(
        safe, ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12"), RADAR
    ),
    "JPEG 2000 and band files of Sentinel-2": Expected(
        images(
            ("SCL_20m", lambda _: classes(3, 12), {"gsd": 20.0}),
            ("_20m", coarse, {"gsd": 20.0}),
            ("_10m", dn, {}),
        ),
        ("B02", "B04", "B8A"),
    ),
    "sen2r": Expected(
        images(("/BOA/", lambda i: dn(i, 11), {"nodata": 65535}), ("/SCL/", lambda _: classes(), {})), L2A_11
    ),
    "FORCE": Expected(
        images(
            ("_BOA", lambda i: dn(i, 10).astype(np.int16), {"nodata": -9999}),
            ("_QAI", lambda _: np.where(classes() == 9, 2, 0).astype(np.int16), {}),
        ),
        TEN,
        mask="user",
    ),
    "sits": Expected(
        images(("_CLOUD_", lambda _: classes(), {}), ("-2_MSI", dn, {}), ("-1_GRD", power, {})), ("B02", "B8A"), RADAR
    ),
    "HyP3 RTC": Expected(
        images(S2_BESIDE, ("_ls_map", lambda _: NOTHING + np.uint8(1), {}), ("_V", power, {"nodata": 0})),
        ("B02", "B03", "B04", "B08"),
        RADAR,
        "rules",
    ),
    "OPERA RTC-S1": Expected(
        images(S2_BESIDE, ("_mask", lambda _: NOTHING, {}), ("_V", power, {})),
        ("B02", "B03", "B04", "B08"),
        RADAR,
        "rules",
    ),
    "SEN12MS-CR-TS": Expected(
        images(("/S2/", lambda i: dn(i, 13), {}), ("/S1/", lambda i: db(i, 2), {})), L1C, RADAR, "s2cloudless"
    ),
    "EOPatch (eo-learn)": Expected(eopatch, L1C, mask="user"),
    "NetCDF, Zarr, EOPF": Expected(one_cube, TEN, RADAR),
    "HLS": Expected(
        images(
            ("Fmask", lambda _: np.where(classes() == 9, 0b10, 0).astype(np.uint8), {}),
            (".B", lambda i: dn(i).astype(np.int16), {"nodata": -9999}),
        ),
        ("B02", "B8A"),
        mask="user",
    ),
    "A result of decloud": Expected(
        images(
            ("declouded", lambda i: dn(i, 4), {"bands": ("B02", "B03", "B04", "B08")}),
            ("cloud_mask", lambda _: (classes() == 9).astype(np.uint8), {}),
        ),
        ("B02", "B03", "B04", "B08"),
        mask="user",
    ),
}
# Whose commands read no sequence of ours, or none at all.
ELSEWHERE = {"Planetary Computer through odc-stac or stackstac", "SEN12MS-CR"}


def done(command: str) -> int:
    """What the command, as the page has it, ends with."""
    with pytest.raises(SystemExit) as ended:
        main(shlex.split(command)[1:])
    return int(ended.value.code or 0)


def test_every_recipe_is_tried_here() -> None:
    assert {*EXPECTED, *ELSEWHERE} == set(RECIPES)
    assert all(f"decloud inspect {input_of(RECIPES[title])}" in RECIPES[title].commands for title in EXPECTED)


def input_of(given: Recipe) -> str:
    (command,) = [command for command in given.commands if command.startswith("decloud run ")]
    _, _, path, out = shlex.split(command)
    assert out == "cloud-free"
    return path


@pytest.mark.parametrize("title", EXPECTED)
def test_the_tree_of_a_recipe_is_read_by_its_commands(
    title: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    expected, given = EXPECTED[title], RECIPES[title]
    expected.build(tmp_path, given.files)
    monkeypatch.chdir(tmp_path)
    path = input_of(given)
    with open_sequence(path) as source:
        info: SequenceInfo = source.info
    assert info.bands == expected.bands
    assert info.s1_bands == expected.s1
    assert info.mask_source == expected.mask
    assert [str(day) for day in info.dates] == [day for day, _, _ in DAYS]
    for command in given.commands:
        if command.startswith(("decloud inspect", "decloud look")):
            assert done(command) == 0, capsys.readouterr().err
        if command.startswith("decloud run"):
            assert done(f"{command} --method linear") == 0, capsys.readouterr().err
    assert sorted(path.name for path in (tmp_path / "cloud-free" / "declouded").glob("*.tif")) == [
        f"{day}.tif" for day, _, _ in DAYS
    ]


def test_triplets_are_looked_at_and_scored_and_are_no_sequence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given = RECIPES["SEN12MS-CR"]
    write_triplet(tmp_path / "SEN12MSCR")
    monkeypatch.chdir(tmp_path)
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.tif")) == sorted(given.files)
    assert len(given.commands) == 2
    for command in given.commands:
        assert done(command) == 0, capsys.readouterr().err
    assert done("decloud run SEN12MSCR cloud-free") == 2
    assert "no sequence" in capsys.readouterr().err


def test_snippets_are_python_and_use_public_names_of_ours() -> None:
    snippets = [(title, snippet) for title, each in RECIPES.items() for snippet in each.snippets]
    assert len(snippets) >= 4
    for title, snippet in snippets:
        used = {
            node.attr
            for node in ast.walk(ast.parse(snippet))
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "decloud"
        }
        assert used <= set(decloud.__all__), title


def test_the_snippet_on_stac_items_reads_what_its_tree_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = RECIPES["STAC items"]
    catalogue(tmp_path, given.files)
    monkeypatch.chdir(tmp_path)
    scope: dict[str, Any] = {}
    for line in ("import decloud", "import pystac", *re.findall(r"^observations = .*$", given.snippets[0], re.M)):
        exec(line, scope)
        if "observations" in scope:
            assert scope.pop("observations").s2.bands == ("B02", "B8A")

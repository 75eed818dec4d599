"""Writes Sentinel-2 products of a few pixels with the names, folders and metadata of the published ones."""

import zipfile
from pathlib import Path

import numpy as np
from jp2_files import write_jp2

from seq2seq.bands import L1C, S2_BANDS

TILE = "T31UFS"
FINE, COARSE = ("B02", "B03", "B04", "B08"), ("B05", "B06", "B07", "B8A", "B11", "B12")
LEVEL_2A = {**dict.fromkeys(FINE, 10), **dict.fromkeys(COARSE, 20), "B01": 60, "B09": 60}
LEVEL_1C = {band: S2_BANDS[band].gsd_m for band in L1C}
SIZE_PX = 48  # at 10 m: whole pixels of 20 m and of 60 m


def product_name(day, *, level="L2A", baseline="02.14", orbit=51, tile=TILE, satellite="S2A", made="20240101T000000"):
    number = baseline.replace(".", "")
    return f"{satellite}_MSI{level}_{day.replace('-', '')}T105031_N{number}_R{orbit:03d}_{tile}_{made}.SAFE"


def dn_of(band, gsd_m, day, *, offset=0, size_px=SIZE_PX):
    """(1, H, W) uint16: dark ground with some texture, the product's offset on top."""
    side = size_px * 10 // gsd_m
    seed = sum(map(ord, f"{band}{day}"))
    ground = np.random.default_rng(seed).integers(200, 2500, (1, side, side))
    return (ground - offset).astype(np.uint16)


def metadata_xml(name, day, *, level, baseline, orbit, images, offset=None, quantification=10_000, head=""):
    """As in MTD_MSIL2A.xml; `offset` where the baseline has one."""
    prefix, short = ("BOA", "BOA_") if level == "L2A" else ("RADIO", "")
    tag = "BOA_ADD_OFFSET_VALUES_LIST" if level == "L2A" else "Radiometric_Offset_List"
    each = "".join(f'<{prefix}_ADD_OFFSET band_id="{band}">{offset}</{prefix}_ADD_OFFSET>' for band in range(13))
    offsets = "" if offset is None else f"<{tag}>{each}</{tag}>"
    listed = "".join(f"<IMAGE_FILE>{image}</IMAGE_FILE>" for image in images)
    return f"""<?xml version="1.0" encoding="UTF-8" standalone="no"?>
{head}<n1:Level-2A_User_Product xmlns:n1="https://psd-14.sentinel2.eo.esa.int/PSD/User_Product_Level-2A.xsd">
<n1:General_Info><Product_Info>
<PRODUCT_START_TIME>{day}T10:50:31.024Z</PRODUCT_START_TIME><PRODUCT_URI>{name}</PRODUCT_URI>
<PROCESSING_LEVEL>Level-{level[1:]}</PROCESSING_LEVEL><PROCESSING_BASELINE>{baseline}</PROCESSING_BASELINE>
<GENERATION_TIME>{day}T16:44:54.000000Z</GENERATION_TIME>
<Datatake datatakeIdentifier="GS2A"><DATATAKE_SENSING_START>{day}T10:50:31.024Z</DATATAKE_SENSING_START>
<SENSING_ORBIT_NUMBER>{orbit}</SENSING_ORBIT_NUMBER>
<SENSING_ORBIT_DIRECTION>DESCENDING</SENSING_ORBIT_DIRECTION></Datatake>
<Product_Organisation><Granule_List><Granule>{listed}</Granule></Granule_List></Product_Organisation>
</Product_Info></n1:General_Info>
<n1:Product_Image_Characteristics>
<Special_Values><SPECIAL_VALUE_TEXT>NODATA</SPECIAL_VALUE_TEXT><SPECIAL_VALUE_INDEX>0</SPECIAL_VALUE_INDEX>
</Special_Values><Special_Values><SPECIAL_VALUE_TEXT>SATURATED</SPECIAL_VALUE_TEXT>
<SPECIAL_VALUE_INDEX>65535</SPECIAL_VALUE_INDEX></Special_Values>
<{short}QUANTIFICATION_VALUE unit="none">{quantification}</{short}QUANTIFICATION_VALUE>{offsets}
</n1:Product_Image_Characteristics></n1:Level-2A_User_Product>
"""


def write_product(
    root: Path,
    day: str,
    *,
    level="L2A",
    baseline="02.14",
    offset=None,
    orbit=51,
    tile=TILE,
    bands=None,
    absent=(),
    scl=None,
    left=600_000.0,
    crs="EPSG:32631",
    made="20240101T000000",
    pixels=None,
    folder=None,
    absolute_orbit="A036317",
    **more,
) -> Path:
    """One product below `root`: `bands` with their resolutions, those that are `absent` listed and not written.

    offset: in DN, as the metadata state it. scl: (H, W) classes at 20 m. pixels: of bands, in place of texture.
    """
    bands = (LEVEL_2A if level == "L2A" else LEVEL_1C) if bands is None else bands
    name = product_name(day, level=level, baseline=baseline, orbit=orbit, tile=tile, made=made)
    product = root / (name if folder is None else folder)
    granule = f"{level}_{tile}_{absolute_orbit}_{day.replace('-', '')}T105219"
    images = []
    for band, gsd_m in ({**bands, "SCL": 20} if scl is not None else bands).items():
        file = f"{tile}_{day.replace('-', '')}T105031_{band}"
        file = f"R{gsd_m}m/{file}_{gsd_m}m" if level == "L2A" else file
        images.append(f"GRANULE/{granule}/IMG_DATA/{file}")
        if band in absent:
            continue
        dn = dn_of(band, gsd_m, day, offset=offset or 0) if band != "SCL" else scl[None].astype(np.uint8)
        if pixels and band in pixels:
            dn = pixels[band]
        write_jp2(product / f"{images[-1]}.jp2", dn, gsd=float(gsd_m), left=left, crs=crs)
    product.mkdir(parents=True, exist_ok=True)
    facts = {"level": level, "baseline": baseline, "orbit": orbit, "images": images, "offset": offset}
    (product / f"MTD_MSI{level}.xml").write_text(metadata_xml(name, day, **facts, **more))
    (product / "GRANULE" / granule).mkdir(parents=True, exist_ok=True)
    (product / "GRANULE" / granule / "MTD_TL.xml").write_text("<x/>")
    (product / "manifest.safe").write_text("<x/>")
    return product


def zipped(product: Path, archive: Path, *, prefix: str | None = None) -> Path:
    """The product as it is downloaded: a ZIP around its folder."""
    archive.parent.mkdir(parents=True, exist_ok=True)
    around = f"{product.name}/" if prefix is None else prefix
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in sorted(product.rglob("*")):
            if path.is_file():
                packed.write(path, around + path.relative_to(product).as_posix())
    return archive

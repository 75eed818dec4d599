"""The outputs that are no rasters: what they are called and which files they are. Others write them."""

from seq2seq.products.base import DATE, GEOJSON, HTML, JSON, PNG, ZIP, Product, ProductFile

REPORT = Product(
    name="report",
    title="Report",
    about="How good the result is, measured on pixels that were hidden.",
    media_type=JSON,
    stac_role="metadata",
    parts=(ProductFile("report.json", JSON), ProductFile("report.html", HTML)),
)
PREVIEW = Product(
    name="preview",
    title="Preview",
    about="A choice of dates, before and after.",
    media_type=PNG,
    stac_role="overview",
)
STAC = Product(
    name="stac",
    title="STAC",
    about="A Collection and an Item for each date.",
    media_type=JSON,
    per_date=True,
    parts=(ProductFile("stac/collection.json", JSON), ProductFile(f"stac/{DATE}.json", GEOJSON)),
)
MANIFEST = Product(
    name="manifest",
    title="Manifest",
    about="Every file with size and checksums.",
    media_type=JSON,
    made_by="job",
)
ARCHIVE = Product(
    name="archive",
    title="Archive",
    about="All files in one ZIP.",
    media_type=ZIP,
    made_by="download",
    parts=(ProductFile("results.zip", ZIP),),
)

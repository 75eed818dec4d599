"""The outputs of an inspection: what is in an upload, before anything is made of it."""

from seq2seq.products.base import JSON, WEBP, Product

INSPECTION = Product(
    name="inspection",
    title="Inspection",
    about="Dates, bands, grid, outline, Sentinel-1 and clouds of a sequence, warnings, and what a run would cost.",
    media_type=JSON,
    made_by="inspection",
)
DATE_PREVIEWS = Product(
    name="previews",
    title="Previews",
    about="Small pictures of up to 12 dates of a sequence as it came, in one stretch.",
    media_type=WEBP,
    per_date=True,
    made_by="inspection",
)

"""The output of an inspection: what is in an upload, before anything is made of it."""

from seq2seq.products.base import JSON, Product

INSPECTION = Product(
    name="inspection",
    title="Inspection",
    about="Dates, bands, grid, outline, Sentinel-1 and clouds of a sequence, warnings, and what a run would cost.",
    media_type=JSON,
    made_by="inspection",
)

"""The outputs of a comparison of methods: what they are called and which files they are. `seq2seq.comparison` writes
them."""

from seq2seq.products.base import CSV, HTML, JSON, MARKDOWN, Product, ProductFile

TABLE = Product(
    name="table",
    title="Table",
    about="A line for each method and kind of gap: errors, differences, seconds, memory.",
    media_type=CSV,
    made_by="comparison",
)
TABLE_MD = Product(
    name="table_md",
    title="Table to read",
    about="The same in short, a table for each kind of gap, and what could not be finished.",
    media_type=MARKDOWN,
    made_by="comparison",
    parts=(ProductFile("table.md", MARKDOWN),),
)
COMPARISON_REPORT = Product(
    name="report",
    title="Report",
    about="One page with the table and pictures of what each method makes of the same hidden pixels.",
    media_type=HTML,
    made_by="comparison",
)
RESULTS = Product(
    name="results",
    title="Results",
    about="Everything that was measured, case by case, with the settings.",
    media_type=JSON,
    made_by="comparison",
)

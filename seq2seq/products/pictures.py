"""What a viewer shows of a result, in one file that a service reads pieces of. `seq2seq.viewing` writes it."""

from seq2seq.products.base import ZIP, Product

PICTURES = Product(
    name="pictures",
    title="Pictures",
    about="What the page and `decloud view` show: pictures of every date, and the series of every pixel as Zarr.",
    media_type=ZIP,
    made_by="job",
)

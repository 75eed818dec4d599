"""What a run writes, as its settings `format` and `products` say: names, checked against the table of products."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from seq2seq import products as table
from seq2seq.errors import ConfigError
from seq2seq.products.base import COG_FORMAT, Product, ProductFile
from seq2seq.products.indices import OF_INDICES
from seq2seq.wording import not_one_of


@dataclass(frozen=True)
class Outputs:
    """What a run writes. formats: of its images, each once. optional: names of the products that were asked for."""

    formats: tuple[str, ...] = (COG_FORMAT,)
    optional: tuple[str, ...] = ()

    @classmethod
    def of(cls, format: str = COG_FORMAT, products: str = "") -> "Outputs":
        """Reads the settings of these names. Raises `ConfigError` naming what is unknown and what is known."""
        found = _named("format", format, formats())
        if not found:
            raise ConfigError(f"format is {format!r}, must name one of {', '.join(formats())}, or several with commas")
        return cls(found, _named("products", products, optional_names()))

    @property
    def products(self) -> tuple[Product, ...]:
        """All products that the run writes, in the order of the table."""
        return tuple(product for product in table.made_by("run") if self._is_written(product))

    @property
    def rasters(self) -> tuple[Product, ...]:
        """Those of each date, whatever the files that they come in."""
        return tuple(product for product in table.made_by("run") if product.raster and self._is_wanted(product))

    @property
    def files(self) -> tuple[tuple[Product, ProductFile], ...]:
        """All files that the run writes, with what they are; what lies beside a raster, only where that is written."""
        unwanted = table.top_names("run") - {name for product in self.products for name in _own_names(product)}
        pairs = ((product, file) for product in self.products for file in product.files)
        return tuple((product, file) for product, file in pairs if file.path.partition("/")[0] not in unwanted)

    def check_bands(self, bands: Sequence[str]) -> None:
        """Raises `ConfigError` where the sequence, which has `bands`, lacks one that a product needs."""
        lacking = {name: OF_INDICES[name].missing_in(bands) for name in self.optional}
        told = [f"{name} needs {' and '.join(missing)}" for name, missing in lacking.items() if missing]
        if told:
            raise ConfigError(f"products: {', '.join(told)}; the sequence has {' '.join(bands)}")

    def _is_written(self, product: Product) -> bool:
        return product.needs_format in (None, *self.formats) and self._is_wanted(product)

    def _is_wanted(self, product: Product) -> bool:
        return not product.optional or product.name in self.optional


def _own_names(product: Product) -> frozenset[str]:
    """Those of its files and folders; a style lies in a raster's folder."""
    return frozenset() if product is table.STYLES else product.top_names


def as_single_files(format: str) -> str:
    """Returns the setting `format` with a store that is a folder replaced by the same in one file, to be sent."""
    in_one = {p.format: f"{p.format}.zip" for p in table.made_by("run") if p.format and p.files[0].is_folder}
    return ",".join(in_one.get(name, name) for name in _named("format", format, formats()))


def formats() -> tuple[str, ...]:
    """Lists the formats of images, the default first."""
    wanted = (product.needs_format for product in table.made_by("run"))
    return tuple(dict.fromkeys(name for name in wanted if name))


def optional_names() -> tuple[str, ...]:
    """Lists the products that are written only where they are asked for."""
    return tuple(product.name for product in table.made_by("run") if product.optional)


def _named(setting: str, text: str, known: Sequence[str]) -> tuple[str, ...]:
    """Names in `text`, apart by commas, as the table writes them."""
    plain = {name.lower(): name for name in known}
    given = _parts(text)
    for name in given:
        if name.lower() not in plain:
            raise ConfigError(not_one_of(setting, name, known))
    return tuple(dict.fromkeys(plain[name.lower()] for name in given))


def _parts(text: str) -> Iterable[str]:
    return [part.strip() for part in text.split(",") if part.strip()]

"""The processes there are: what each is called, takes and gives. Their bodies are in `execute`."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from pydantic import BaseModel

from api.errors import Refusal
from api.process.comparing import ComparisonParameters
from api.process.parameters import Parameters
from seq2seq.processes import BENCHMARK, DECLOUD, INSPECT
from seq2seq.products import COMPARED, INSPECTED, PRODUCTS, Product


@dataclass(frozen=True)
class Process:
    """One process. about: one sentence. sequence: what becomes of the upload. settings: its other inputs."""

    name: str
    title: str
    about: str
    keywords: tuple[str, ...]
    sequence: str
    settings: type[BaseModel]
    outputs: tuple[Product, ...]


PROCESSES = (
    Process(
        name=DECLOUD,
        title="Cloud-free Sentinel-2 sequences",
        about="Restores clouds, shadows and gaps of a Sentinel-2 time series from the series itself and "
        "Sentinel-1, with a measure of how well.",
        keywords=("Sentinel-2", "Sentinel-1", "cloud removal", "time series"),
        sequence="An upload",
        settings=Parameters,
        outputs=PRODUCTS,
    ),
    Process(
        name=BENCHMARK,
        title="Methods side by side",
        about="Hides clear pixels of a Sentinel-2 time series, the same for every method, and scores what each method "
        "makes of them.",
        keywords=("Sentinel-2", "Sentinel-1", "cloud removal", "comparison"),
        sequence="One upload to compare methods on",
        settings=ComparisonParameters,
        outputs=COMPARED,
    ),
    Process(
        name=INSPECT,
        title="What is in an upload",
        about="Tells dates, bands, clouds, Sentinel-1, grid and outline of a Sentinel-2 time series, and what the "
        "process decloud would take for it with the same settings.",
        keywords=("Sentinel-2", "Sentinel-1", "inspection", "estimate"),
        sequence="The upload to look at",
        settings=Parameters,
        outputs=INSPECTED,
    ),
)
NAMES = tuple(process.name for process in PROCESSES)
# Jobs of these are in a list that names no process: an inspection is a question, made by the page at every upload.
LISTED = tuple(name for name in NAMES if name != INSPECT)
_TITLES = {product.name: product.title for process in reversed(PROCESSES) for product in process.outputs}


def find_process(name: str) -> Process:
    """The process of that name. Raises `Refusal` naming those that there are."""
    for process in PROCESSES:
        if process.name == name:
            return process
    raise Refusal("no-such-process", f"there is no process {name[:64]!r}, only {', '.join(NAMES)}")


@cache
def media_types(process: str) -> Mapping[str, str]:
    """Of the outputs of a process, in their order."""
    return {product.name: product.media_type for product in find_process(process).outputs}


def output_title(role: str) -> str:
    """What a role is called."""
    return _TITLES.get(role, role)

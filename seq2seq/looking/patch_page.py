"""A tree of patches as a static page of pictures, bounded whatever the size of the tree; and one patch as a picture."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from seq2seq.errors import ConfigError, InputError
from seq2seq.looking.compass import ScaleBar
from seq2seq.looking.layout import framed
from seq2seq.looking.look import Written
from seq2seq.looking.patches import GSD_M, RULE, Drawn, draw_patch, legend_of
from seq2seq.looking.target import (
    INDEX,
    PICTURES,
    SIGNATURE,
    STILL,
    check_suffix,
    default_name,
    folder_for,
    place_for,
    still,
    write_still,
)
from seq2seq.looking.trees import Entry, Tree, spread
from seq2seq.looking.views import Choice
from seq2seq.progress import OnProgress, Progress, ignore
from seq2seq.report.inspection import sequence_name
from seq2seq.report.templates import template
from seq2seq.writers import write_file

LIMIT = 60
# Of an image of a triplet and of a date, on a page and in a picture of its own.
_PAGE_PX, _LARGE_PX = (256, 96), (512, 176)
CREDIT = "Contains modified Copernicus Sentinel data."


@dataclass(frozen=True)
class Shown:
    """A patch on the page. width, height: of its picture, so that a page does not move while pictures arrive."""

    name: str
    split: str | None
    facts: str
    picture: str
    width: int
    height: int


@dataclass(frozen=True)
class Failed:
    """A patch that cannot be shown, and why."""

    name: str
    reason: str


def look_at_tree(
    tree: Tree,
    *,
    bands: Choice | None = None,
    patch: str | None = None,
    limit: int | None = None,
    out: Path | None = None,
    overwrite: bool = False,
    on_progress: OnProgress = ignore,
) -> Written:
    """Draws a page of at most `limit` patches, or the one of that name, and writes it.

    Raises `InputError`, `ConfigError` and `OutputError`; on a page a patch that cannot be read is listed instead.
    """
    if bands == "s1":
        raise ConfigError(
            "--bands s1: Sentinel-1 is shown beside each patch as it is; rgb, false or ndvi is of the others"
        )
    name = sequence_name(tree.root)
    if patch is not None and limit is not None:
        raise ConfigError("--limit is of a page; leave it out with --patch")
    entries = tree.entries()
    if patch is not None or len(entries) == 1:
        entry = entries[0] if patch is None else tree.find(patch)
        return _write_patch(tree, entry, bands, name=name, out=out, overwrite=overwrite)
    if out is not None and out.suffix.lower() in STILL:
        raise ConfigError(f"--out {out}: a page of patches is a folder; name one, or a single patch with --patch")
    folder = folder_for(out, default_name(name, (bands,)), source=tree.root, overwrite=overwrite)
    chosen = [entries[number] for number in spread(len(entries), limit or LIMIT)]
    return _write_page(tree, chosen, bands, folder=folder, of=len(entries), on_progress=on_progress)


def _write_patch(
    tree: Tree, entry: Entry, bands: Choice | None, *, name: str, out: Path | None, overwrite: bool
) -> Written:
    check_suffix(out, STILL, "a picture")
    found = tree.patch(entry)
    parts = (None if found.name == name else found.name, bands)
    target = place_for(out, default_name(name, parts), ".png", source=tree.root, overwrite=overwrite)
    drawn = draw_patch(found, bands, side=_LARGE_PX[tree.series])
    split = f", {found.split} split" if found.split else ""
    scale = ScaleBar(GSD_M * drawn.cell_px / drawn.zoom, None)
    picture = framed(
        drawn.image,
        title=f"{tree.title}, {found.name}{split}",
        facts=drawn.facts or "no cloudy image",
        legend=[scale, *legend_of(drawn, series=tree.series)],
        captions=[*_captions(drawn, series=tree.series), RULE, CREDIT],
    )
    write_still(target, picture)
    return Written(target, ())


def _write_page(
    tree: Tree, chosen: Sequence[Entry], bands: Choice | None, *, folder: Path, of: int, on_progress: OnProgress
) -> Written:
    shown: list[Shown] = []
    failed: list[Failed] = []
    last: InputError | None = None
    drawn: Drawn | None = None
    for number, entry in enumerate(chosen):
        on_progress(Progress("looking", number, len(chosen)))
        found = tree.patch(entry)
        try:
            drawn = draw_patch(found, bands, side=_PAGE_PX[tree.series])
        except InputError as error:
            failed.append(Failed(found.name, str(error)))
            last = error
            continue
        picture = f"{PICTURES}/{re.sub(r'[^A-Za-z0-9_-]+', '_', found.name)}.jpg"
        write_file(folder / picture, still(drawn.image, ".jpg"))
        shown.append(Shown(found.name, found.split, drawn.facts, picture, *drawn.image.size))
    on_progress(Progress("looking", len(chosen), len(chosen)))
    if drawn is None:
        assert last is not None, "a tree has patches"
        raise last
    _remove_others(folder, {each.picture for each in shown})
    page = template("patches.html.jinja").render(
        tree=tree,
        signature=SIGNATURE,
        choice=_choice(len(chosen), of),
        shown=shown,
        failed=failed,
        captions=[_page_caption(drawn), RULE],
        credit=CREDIT,
    )
    write_file(folder / INDEX, page.encode())
    notes = (f"{len(failed)} of {len(chosen)} patches cannot be read; the page says why",) if failed else ()
    return Written(folder / INDEX, notes)


def _choice(count: int, of: int) -> str:
    """How the patches were chosen."""
    if count == of:
        return f"All {of:,} patches, by area and number."
    return f"{count:,} of {of:,} patches, evenly spread over the list by area and number; --limit shows more."


def _captions(drawn: Drawn, *, series: bool) -> list[str]:
    """The stretch, and what was reduced."""
    side = drawn.cell_px
    reduced = [f"Every square is the mean of {side} x {side} pixels."] if side > 1 else []
    return reduced + [paint.caption("for all dates" if series else "for both images") for paint in drawn.paints]


def _page_caption(drawn: Drawn) -> str:
    """What holds for all patches: each has a stretch of its own."""
    view = drawn.paints[0].view
    title = view.title[0].upper() + view.title[1:]
    return (
        f"{title}; each patch has a stretch of its own, 1st to 99th percentile of its clear pixels. "
        "Sentinel-1 is VV, VH and VV-VH in dB as red, green and blue."
    )


def _remove_others(folder: Path, kept: set[str]) -> None:
    """Pictures of an earlier page, which are ours as the folder is."""
    for path in (folder / PICTURES).glob("*.jpg"):
        if f"{PICTURES}/{path.name}" not in kept:
            path.unlink()

"""`decloud look`: pictures of a sequence, of a result, or of a tree of published patches."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from seq2seq.commands.options import build_config
from seq2seq.errors import ConfigError

EXAMPLES = """
[bold]Examples[/]
  decloud look fields                                  [dim]all dates, with masks[/]
  decloud look fields --bands ndvi --date 2021-05-01   [dim]one date, large[/]
  decloud look cloud-free                              [dim]before, after, uncertainty[/]
  decloud look cloud-free --out film.webp              [dim]date by date[/]
  decloud look cloud-free --pixel 12,40 --pixel 60,8   [dim]pixels over time[/]
  decloud look /data/SEN12MSCR --limit 100             [dim]a page of patches[/]
"""


def _option(about: str, metavar: str | None = None, **limits: Any) -> Any:
    return typer.Option(help=about, metavar=metavar, show_default=False, **limits)


# long: its options, one after another
def look(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="INPUT", help="A sequence as for run, the folder of a result, or SEN12MS-CR or SEN12MS-CR-TS."
        ),
    ],
    date: Annotated[str | None, _option("This date alone, large.", "DATE")] = None,
    bands: Annotated[
        Literal["rgb", "false", "ndvi", "s1"] | None,
        _option("rgb: natural colour; false: B08 B04 B03; ndvi; s1: VV, VH and VV-VH. By default what is there."),
    ] = None,
    out: Annotated[
        Path | None,
        _option("The picture (.png, .jpg, .webp, .gif) or a folder for it; by default look-NAME here.", "FILE_OR_DIR"),
    ] = None,
    mask: Annotated[
        Literal["outline", "hatch", "none"] | None, _option("How cloud masks are drawn; outline, not on radar.")
    ] = None,
    window: Annotated[str | None, _option("This part of the scene alone.", "ROW,COL,HEIGHT,WIDTH")] = None,
    pixel: Annotated[list[str] | None, _option("A pixel over time; may be repeated.", "ROW,COL")] = None,
    point: Annotated[list[str] | None, _option("A place over time, in degrees; may be repeated.", "LON,LAT")] = None,
    own_stretch: Annotated[
        bool, typer.Option("--own-stretch", help="With --date: stretched by this date alone.")
    ] = False,
    animate: Annotated[bool, typer.Option("--animate", help="Date by date; as does --out x.webp or x.gif.")] = False,
    source: Annotated[
        Path | None, typer.Option("--input", help="What a result was made of, where it has moved.", metavar="PATH")
    ] = None,
    patch: Annotated[str | None, _option("Of a tree: this patch alone, as its page names it.", "NAME")] = None,
    limit: Annotated[int | None, _option("Of a tree: so many patches, 60 by default.", "N", min=1, max=5000)] = None,
    config: Annotated[Path | None, _option("TOML or JSON with settings, as for run.", "FILE")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that look has not written.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Say nothing but errors.")] = False,
) -> None:
    """Draw a sequence, a result or a tree of patches: contact sheet, one date, animation, pixels over time."""
    settings = build_config(config, {})
    from rich.console import Console

    from seq2seq.commands.console import open_display
    from seq2seq.looking import look as looking
    from seq2seq.looking.patch_page import look_at_tree
    from seq2seq.looking.trees import find_tree

    console, tree = Console(), find_tree(path)
    of_scenes: dict[str, object] = {
        "--date": date,
        "--window": window,
        "--pixel": pixel,
        "--point": point,
        "--input": source,
    }
    of_scenes |= {"--animate": animate, "--mask": mask, "--own-stretch": own_stretch}
    wrong: dict[str, object] = of_scenes if tree else {"--patch": patch, "--limit": limit}
    for name, value in wrong.items():
        if value:
            what = "of sequences and results" if tree else "of SEN12MS-CR and SEN12MS-CR-TS"
            raise ConfigError(f"{name} is {what}; {path} is {'one of patches' if tree else 'none of these'}")
    with open_display(console, quiet=quiet or not console.is_terminal) as display:
        if tree:
            written = look_at_tree(
                tree, bands=bands, patch=patch, limit=limit, out=out, overwrite=overwrite, on_progress=display
            )
        else:
            request = looking.Request(
                bands=bands,
                date=date,
                own_stretch=own_stretch,
                mask=mask,
                window=window,
                pixels=tuple(pixel or ()),
                points=tuple(point or ()),
                animate=animate,
                source=source,
            )
            written = looking.look_at_scene(path, request, settings, out=out, overwrite=overwrite, on_progress=display)
    if quiet:
        return
    for line in (*(f"note  {note}" for note in written.notes), f"Written {written.path}"):
        console.print(line, markup=False, highlight=False, soft_wrap=True)

"""A result as one HTML file that can be mailed: the viewer, and of the bundle what fits into a given size.

First the pictures that a swipe needs; then further styles, as long as there is room for charts; then values of every
nth pixel, as many as fit. What was left out is stated in the manifest, so that the page says it.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from seq2seq.errors import ConfigError, Stopped
from seq2seq.page import Page
from seq2seq.progress import OnProgress, Progress, ShouldStop, ignore, never_stop
from seq2seq.viewing.bundle import SCENE
from seq2seq.viewing.kept import Bundle
from seq2seq.viewing.sampled_cube import SampledCube, sample_cube
from seq2seq.viewing.single_page import embedded_bytes, single_page
from seq2seq.writers.failures import one_line_errors
from seq2seq.writers.output import temporary_beside

PHASE = "one file"
MB = 1_000_000
# What a swipe needs, and what tells how far to trust it; then the others, each with its counterpart.
FIRST = ("rgb", "rgb-before", "uncertainty", "mask")
_FURTHER = (("ndvi", "ndvi-before"), ("false", "false-before"), ("difference",), ("s1",))
# Of what the first pictures leave, the share that is kept for values; charts of fewer pixels than this say little.
_FOR_VALUES = 0.5
_LEAST_PX = 24
# Pictures are made smaller where all of them would not fit, but not beyond recognition.
_SHRUNK, _SHRUNK_QUALITY = (1, 2, 4), 75
# The manifest grows by what was left out, and sizes are estimates by some bytes.
_SPARE = 4096
_PREFIX = "pictures/"


@dataclass(frozen=True)
class Export:
    """What was written. styles: in it. step: of each so many pixels a side, one has values; None: none has."""

    path: Path
    size_bytes: int
    styles: tuple[str, ...]
    step: int | None
    left_out: tuple[str, ...]


def export_bundle(
    bundle: Bundle,
    page: Page,
    out: Path,
    *,
    max_bytes: int,
    styles: tuple[str, ...] = (),
    on_progress: OnProgress = ignore,
    should_stop: ShouldStop = never_stop,
) -> Export:
    """Writes `out`, at most `max_bytes` large; it appears when it is complete. styles: these alone; by default all.

    Raises `ConfigError` where a style does not exist or the first pictures do not fit, `UnreadableFileError` for a
    damaged bundle, `Stopped` and `OutputError`.
    """
    content = bundle.read(SCENE)
    assert content is not None, "a bundle has a manifest"
    scene: dict[str, Any] = json.loads(content)
    room = max_bytes - len(single_page(page, str(scene["title"]), {})) - embedded_bytes(SCENE, len(content)) - _SPARE
    on_progress(Progress(PHASE))
    chosen = _choose_pictures(bundle, scene, styles, room)
    room -= chosen.size_bytes
    cube = _largest_cube(bundle, scene, room)
    if should_stop():
        raise Stopped("before the file was written")
    left_out = _left_out(scene, chosen, cube)
    step = _step(scene, cube) if cube else None
    scene = _described(scene, chosen, cube, left_out)
    files = {SCENE: json.dumps(scene, ensure_ascii=False).encode(), **chosen.files, **(cube.files if cube else {})}
    whole = single_page(page, str(scene["title"]), {_PREFIX + path: each for path, each in files.items()})
    assert len(whole) <= max_bytes
    with temporary_beside(out, ".html") as new, one_line_errors(out):
        new.write_bytes(whole)
        os.replace(new, out)
    return Export(out, len(whole), chosen.styles, step, left_out)


@dataclass(frozen=True)
class _Pictures:
    """Pictures by path in the bundle. shrunk: how many times smaller a side than the bundle's."""

    styles: tuple[str, ...]
    files: Mapping[str, bytes]
    shrunk: int

    @property
    def size_bytes(self) -> int:
        return _page_bytes(self.files)

    def with_style(self, style: str, files: Mapping[str, bytes]) -> "_Pictures":
        return _Pictures((*self.styles, style), {**self.files, **files}, self.shrunk)


def _page_bytes(files: Mapping[str, bytes]) -> int:
    return sum(embedded_bytes(_PREFIX + path, len(content)) for path, content in files.items())


def _choose_pictures(bundle: Bundle, scene: Mapping[str, Any], asked: tuple[str, ...], room: int) -> _Pictures:
    """All styles that were asked for; else the first ones and the others as there is room beside values."""
    there = [style["name"] for style in scene["styles"]]
    unknown = [name for name in asked if name not in there]
    if unknown:
        raise ConfigError(f"--styles {unknown[0]}: this result has no such style; there are {', '.join(there)}")
    first = list(dict.fromkeys(asked)) or [name for name in FIRST if name in there] or there[:1]
    dates = [each["date"] for each in scene["dates"]]
    found = _shrunk_to_fit(bundle, first, dates, room)
    if asked:
        return found
    share = (room - found.size_bytes) * (1 - _FOR_VALUES)
    for group in _FURTHER:
        more = {name: _pictures_of(bundle, name, dates, found.shrunk) for name in group if name in there}
        needed = sum(map(_page_bytes, more.values()))
        if needed <= share:
            share -= needed
            for name, files in more.items():
                found = found.with_style(name, files)
    return found


def _shrunk_to_fit(bundle: Bundle, styles: list[str], dates: list[str], room: int) -> _Pictures:
    """These styles, as large as fits."""
    needed = 0
    for shrunk in _SHRUNK:
        found = _Pictures((), {}, shrunk)
        for name in styles:
            found = found.with_style(name, _pictures_of(bundle, name, dates, shrunk))
        needed = found.size_bytes
        if needed <= room:
            return found
    missing = (needed - room) / MB
    remedy = "fewer --styles or a larger --max-mb" if len(styles) > 1 else "a larger --max-mb"
    raise ConfigError(
        f"--max-mb: {len(styles)} styles of {len(dates)} dates, at 1/{_SHRUNK[-1]} of their size, take {missing:.1f} "
        f"MB more than there is room for; choose {remedy}"
    )


def _pictures_of(bundle: Bundle, style: str, dates: list[str], shrunk: int) -> dict[str, bytes]:
    """By path. A picture that the bundle lacks is left out here, too."""
    paths = [f"{style}/{date}.webp" for date in dates]
    found = {path: content for path in paths if (content := bundle.read(path)) is not None}
    return found if shrunk == 1 else {path: _smaller(content, shrunk) for path, content in found.items()}


def _smaller(content: bytes, times: int) -> bytes:
    from PIL import Image

    with Image.open(BytesIO(content)) as picture:
        buffer = BytesIO()
        picture.reduce(times).save(buffer, "WEBP", quality=_SHRUNK_QUALITY, method=4)
    return buffer.getvalue()


def _largest_cube(bundle: Bundle, scene: Mapping[str, Any], room: int) -> SampledCube | None:
    """Values of as many pixels as fit; None where so few fit that charts would mislead."""
    if not scene.get("cube"):
        return None
    longest = max(scene["width"], scene["height"]) // scene["cube"].get("step", 1)
    coarsest = max(longest // _LEAST_PX, 1) | 1
    found = sample_cube(bundle, coarsest)
    size = _page_bytes(found.files)
    if size > room:
        return None
    # Bytes go with the number of pixels, but finer samples resemble each other and take a little less each. Odd steps:
    # the middle of what is itself a sample is then the middle of the scene's own pixels.
    step = min(int(coarsest * (size / room) ** 0.5) | 1, coarsest)
    while step < coarsest:
        finer = sample_cube(bundle, step)
        if _page_bytes(finer.files) <= room:
            return finer
        step += max(1, step // 16) * 2
    return found


def _left_out(scene: Mapping[str, Any], chosen: _Pictures, cube: SampledCube | None) -> tuple[str, ...]:
    """In words, what the result has and this file has not, a line each."""
    lines = []
    titles = [_titled(style) for style in scene["styles"] if style["name"] not in chosen.styles]
    if titles:
        lines.append(f"These layers: {', '.join(titles)}.")
    if scene["levels"] or chosen.shrunk > 1:
        width, height = (-(-side // chosen.shrunk) for side in scene["overview"])
        lines.append(
            f"Pictures at full resolution: they are {width} x {height} pixels here, the scene has "
            f"{scene['width']} x {scene['height']}."
        )
    if scene.get("cube") and cube is None:
        lines.append("All values: there are no charts.")
    elif cube is not None and (step := _step(scene, cube)) > 1:
        lines.append(
            f"Values of most pixels: charts show the one in the middle of each {step} x {step}, exactly as "
            "in the files."
        )
    if any(each.get("file") for each in scene["dates"]):
        lines.append("The images themselves (GeoTIFF): they are in the folder of the result.")
    return tuple(lines)


def _step(scene: Mapping[str, Any], cube: SampledCube) -> int:
    """Of the scene's own pixels: what was sampled may be a sample."""
    return int(scene["cube"].get("step", 1)) * cube.step


def _titled(style: Mapping[str, Any]) -> str:
    """A style's title; that of the input beside one of the same title says so."""
    return f"{style['title']}, before" if style["name"].endswith("-before") else str(style["title"])


def _described(
    scene: Mapping[str, Any], chosen: _Pictures, cube: SampledCube | None, left_out: tuple[str, ...]
) -> dict[str, Any]:
    """The manifest of what is in the file."""
    described = {key: value for key, value in scene.items() if key not in ("downloads", "cube", "v", "finest")}
    described |= {
        "levels": 0,
        "overview": [-(-side // chosen.shrunk) for side in scene["overview"]],
        "styles": [style for style in scene["styles"] if style["name"] in chosen.styles],
        "dates": [{**each, "file": None} for each in scene["dates"]],
        "left_out": list(left_out),
    }
    if cube is not None:
        described["cube"] = {**scene["cube"], "step": _step(scene, cube)}
    return described

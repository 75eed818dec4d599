"""The offset of a scene's reflectance, in DN, from what its metadata state; contradictions end it, by name.

Since processing baseline 04.00 products are stored 1000 DN too high. Catalogues hold them as they are (Planetary
Computer, CDSE) or with the offset applied (parts of Earth Search), and state it in various places, not always rightly.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from seq2seq.fetching.failures import FetchError
from seq2seq.fetching.scenes import Scene

Setting = Literal["auto", "0", "-1000"]

SHIFT_DN = -1000
_FIRST_BASELINE = 4
# Ground is not darker than this after the offset; below it, on more than this share of pixels, it was applied before.
DARKEST_DN = 600
LARGEST_DARK_SHARE = 0.05
# Without the offset all of a scene's ground lies above this; water, shadow or vegetation that was harmonised does not.
SHIFTED_FLOOR_DN = 1000
_REMEDY = "--s2-offset 0 or -1000 says what holds for all, --skip leaves the item out"


@dataclass(frozen=True)
class Offset:
    """dn: what is added to the values as they are stored. why: what it rests on, in words."""

    dn: int
    why: str


def offset_of(scene: Scene, bands: Sequence[str], setting: Setting = "auto") -> Offset:
    """The offset of these bands of a scene. Raises `FetchError` naming the item for what contradicts, or is lacking."""
    if setting != "auto":
        return Offset(int(setting), f"{setting} DN as set (--s2-offset)")
    stated = _stated(scene, bands)
    # 99.99 is that of test products, which have either.
    known = scene.baseline is not None and not scene.baseline.startswith("99")
    late = int(str(scene.baseline).partition(".")[0]) >= _FIRST_BASELINE if known else None
    if scene.applied is True:
        # Earth Search states -0.1 beside it whether it was applied or not: the flag is about the file.
        return Offset(0, "applied before, as boa_offset_applied states")
    if late is None:
        if stated is None:
            raise FetchError(
                f"{scene.id}: states neither processing baseline nor offset, so its reflectance is unknown; {_REMEDY}"
            )
        return Offset(stated, f"{stated} DN as its assets state")
    if late and stated == 0:
        raise FetchError(
            f"{scene.id}: its processing baseline {scene.baseline} has an offset of {SHIFT_DN} DN, its assets state 0; "
            f"{_REMEDY}"
        )
    if not late and stated:
        raise FetchError(
            f"{scene.id}: its processing baseline {scene.baseline} has no offset, its assets state {stated} DN; "
            f"{_REMEDY}"
        )
    return Offset(SHIFT_DN if late else 0, f"{SHIFT_DN if late else 0} DN of processing baseline {scene.baseline}")


def check_dark_share(scene: Scene, offset: Offset, dark: int, pixels: int) -> None:
    """Raises `FetchError` where an offset cannot be: that many of its pixels lie below `DARKEST_DN` without it."""
    if offset.dn < 0 and dark >= 50 and dark > LARGEST_DARK_SHARE * pixels:
        raise FetchError(
            f"{scene.id}: its metadata state an offset of {offset.dn} DN, but {dark / pixels:.0%} of its pixels are "
            f"darker than {DARKEST_DN} DN: it was applied before; {_REMEDY}"
        )


def _stated(scene: Scene, bands: Sequence[str]) -> int | None:
    """What the assets of these bands state, in DN; None where none of them does. Raises `FetchError`."""
    found = {band: asset.offset for band in bands if (asset := scene.assets.get(band)) and asset.offset is not None}
    if not found:
        return None
    in_dn = {band: round(offset * 10_000) if abs(offset) < 1 else round(offset) for band, offset in found.items()}
    if len(set(in_dn.values())) > 1:
        low, high = min(in_dn, key=lambda band: in_dn[band]), max(in_dn, key=lambda band: in_dn[band])
        raise FetchError(
            f"{scene.id}: states an offset of {in_dn[low]} DN for {low} and of {in_dn[high]} DN for {high}; {_REMEDY}"
        )
    (offset,) = set(in_dn.values())
    if offset not in (0, SHIFT_DN):
        raise FetchError(f"{scene.id}: states an offset of {offset} DN, Sentinel-2 has 0 or {SHIFT_DN}; {_REMEDY}")
    return offset

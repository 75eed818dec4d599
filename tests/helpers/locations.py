"""Where tests find what is not imported: helper programs, the repository, the shared data where they are."""

from pathlib import Path

HELPERS = Path(__file__).resolve().parent
ROOT = HELPERS.parents[1]
SHARED = ROOT.parent / "shared"

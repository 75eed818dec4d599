"""How fast this machine works on this run, learnt as it goes, and what is left at that pace."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

# Shares of a run's expected time (recipe `internal`, both fits): measured on 12 x 10 x 32 x 32 and 20 x 9 x 101 x 101.
SHARES = {"scored": 0.33, "final": 0.33}  # of the prior, each time; the rest are the network's steps
# Within a prior, by kind of piece, all pieces of the kind together.
KINDS = {"samples": 0.1, "trees": 0.3, "perceptron": 0.45, "date": 0.15}
# So many expected seconds speak for the usual pace: the first second of a run decides nothing.
USUAL_S = 5.0


def shares_of_pieces(stage: str, names: Iterable[str]) -> dict[str, float]:
    """Piece -> its share of the run's expected time; names begin with a kind of `KINDS`, other names have none."""
    kinds = {name: name.split("-")[0] for name in names}
    count = Counter(kinds.values())
    whole = SHARES.get(stage, 0.0)
    return {name: whole * KINDS.get(kind, 0.0) / count[kind] for name, kind in kinds.items()}


@dataclass
class Pace:
    """expected_s: what the whole run takes on the usual machine. done: the share of it that is done, of whatever start.
    made: the share of it that this process did, in `made_s` seconds; what lay in a checkpoint says nothing of the
    machine."""

    expected_s: float
    done: float = 0.0
    made: float = 0.0
    made_s: float = 0.0

    def note(self, share: float, seconds: float | None) -> None:
        """`share` of the run is done now, in `seconds`, or in None where it had been done before."""
        self.done += share
        if seconds is not None:
            self.made += share
            self.made_s += seconds

    def factor(self) -> float:
        """How much longer than expected things take here; 1 before anything is known."""
        return (self.made_s + USUAL_S) / (self.made * self.expected_s + USUAL_S)

    def seconds(self, share: float) -> float:
        """Seconds that `share` of the run takes here."""
        return max(share, 0.0) * self.expected_s * self.factor()

    def remaining_s(self) -> float:
        """Seconds to the end of the run."""
        return self.seconds(1 - self.done)

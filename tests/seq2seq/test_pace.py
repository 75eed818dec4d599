"""What is left is said by what the machine has shown so far."""

import pytest
from seq2seq.run.pace import SHARES, Pace, shares_of_pieces

PIECES = ["samples", "trees-00", "trees-01", "perceptron-2", "perceptron-1", "date-0000", "date-0001"]


def test_the_pieces_of_a_prior_make_up_its_share() -> None:
    shares = shares_of_pieces("scored", PIECES)
    assert list(shares) == PIECES
    assert sum(shares.values()) == pytest.approx(SHARES["scored"])
    assert shares["trees-00"] == shares["trees-01"]


@pytest.mark.parametrize("slower", [0.5, 1.0, 4.0, 12.0])
def test_half_way_through_the_prior_the_machines_pace_is_known_within_a_third(slower: float) -> None:
    pace, shares = Pace(100.0), shares_of_pieces("scored", PIECES)
    for piece in PIECES[:4]:
        pace.note(shares[piece], slower * 100 * shares[piece])
    assert pace.factor() == pytest.approx(slower, rel=0.33)
    assert pace.remaining_s() == pytest.approx(slower * 100 * (1 - pace.done), rel=0.33)


def test_what_lay_in_a_checkpoint_is_done_and_says_nothing_of_the_machine() -> None:
    pace = Pace(100.0)
    pace.note(0.3, None)
    assert pace.factor() == 1
    assert pace.remaining_s() == pytest.approx(70)


def test_while_there_is_work_something_is_left_however_late_it_is() -> None:
    pace = Pace(100.0)
    pace.note(0.5, 5000.0)
    assert pace.remaining_s() > 4000
    assert pace.seconds(-1e-12) == 0

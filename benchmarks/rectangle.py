"""Simulates a sequence that is not square: python rectangle.py OUT HEIGHT WIDTH. (`decloud simulate` makes squares.)"""

import sys
from pathlib import Path

from seq2seq.simulation.simulate import simulate, write_simulation

if __name__ == "__main__":
    write_simulation(simulate(size=(int(sys.argv[2]), int(sys.argv[3]))), Path(sys.argv[1]))

"""Waiting threads of the arithmetic sleep, so that a busy machine is not made busier.

GNU's OpenMP, which torch and LightGBM share on Linux, lets a thread that is done spin for a millisecond and more before
it sleeps. Alone on a machine that is free; beside other busy processes the spinning takes the very core that the thread
it waits for needs: two spinning threads beside two busy processes made a step of an MLP take twelve times as
long (benchmarks/RESULTS.md, "On a busy machine"). The runtime reads its settings once, when it is loaded.
"""

import os
from collections.abc import MutableMapping

# Rounds of some 5 to 20 ns: enough for threads that end nearly together, too few to starve others. None at all costs a
# quiet machine a fifth of each step of the network, 300 cost it 1 %, and 3000 nothing (benchmarks/METHOD.md).
SPINS = 3000
# Whoever has set one of them has decided how threads wait.
DECIDING = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")


def let_waiting_threads_sleep(environment: MutableMapping[str, str] = os.environ) -> None:
    """Sets GOMP_SPINCOUNT where nobody has decided; without effect once torch or LightGBM are loaded."""
    if not any(name in environment for name in DECIDING):
        environment["GOMP_SPINCOUNT"] = str(SPINS)

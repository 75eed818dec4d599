"""`python first_step.py INPUT OUT CONFIG`: a run without the service, ended at its network's first update.

Prints as JSON, in seconds since this program began: when the engine was imported, each phase, when the first ensemble
of the prior was learnt, the network's first update.
"""

import json
import os
import sys
import time

BEGAN = time.perf_counter()


def main() -> None:
    from seq2seq import ReconstructionConfig
    from seq2seq.progress import Progress
    from seq2seq.run import pipeline
    from seq2seq.run.fitting import FITTING, PREPARING

    marks: dict[str, float] = {"imported": time.perf_counter() - BEGAN}

    def on_progress(progress: Progress) -> None:
        marks.setdefault(progress.phase, time.perf_counter() - BEGAN)
        if progress.phase == PREPARING and progress.step >= 2:  # samples, then the first band's trees
            marks.setdefault("learnt", time.perf_counter() - BEGAN)
        if progress.phase == FITTING and progress.step >= 1:
            print(json.dumps({**marks, "first": time.perf_counter() - BEGAN}), flush=True)
            os._exit(0)

    source, out, config = sys.argv[1:]
    pipeline.run(source, out, ReconstructionConfig.from_dict(json.loads(config)), on_progress=on_progress)


if __name__ == "__main__":
    main()

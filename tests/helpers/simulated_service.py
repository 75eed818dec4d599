"""The program `decloud`, with the simulated method: `python simulated_service.py serve ...`."""

import simulated

if __name__ == "__main__":
    simulated.use()
    from api.commands.main import main

    main()

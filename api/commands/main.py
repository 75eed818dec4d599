"""The program `decloud`: the library's commands, and those of the service.

Whatever takes time to import waits inside the commands, so that `--help` is there at once.
"""

import sys
from collections.abc import Sequence

from api.commands import groups as group_commands
from api.commands import jobs as job_commands
from api.commands import keys as key_commands
from api.commands import server as server_commands
from api.commands import usage as usage_command
from api.commands.options import PANEL
from seq2seq.commands import main as library
from seq2seq.wording import one_line
from worker.errors import ServiceError

library.app.add_typer(server_commands.app)
library.app.add_typer(job_commands.app)
library.app.add_typer(group_commands.app)
library.app.add_typer(usage_command.app)
library.app.add_typer(key_commands.app, name="keys", rich_help_panel=PANEL)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the console script. What a user or an operator can mend is one line and exit code 2."""
    try:
        library.main(arguments)
    except ServiceError as error:
        print(f"decloud: error: {one_line(error.detail)}", file=sys.stderr)
        sys.exit(library.EXIT_BAD_INPUT)


if __name__ == "__main__":
    main()

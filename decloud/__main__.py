"""`python -m decloud`: the program, also where its folder is not on the PATH."""

from api.commands.main import main

if __name__ == "__main__":
    main()

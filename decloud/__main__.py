"""`python -m decloud`: the program, also where its folder is not on the PATH."""

from api.cli import main

if __name__ == "__main__":
    main()

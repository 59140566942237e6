"""`python -m graphacct`: the command line."""

from graphacct.cli import main

if __name__ == "__main__":
    main()

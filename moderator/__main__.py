"""Entry point of `moderator` and `python -m moderator`."""

from moderator.cli.app import main

if __name__ == "__main__":
    main()

"""``python -m integration_operator``."""

from integration_operator.cli.entry import main

if __name__ == "__main__":
    main()

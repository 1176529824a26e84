"""``python -m integration_operator``."""

from integration_operator.cli import app

if __name__ == "__main__":
    app(prog_name="integration-operator")

"""The marker of tests that cut power."""

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Registers it."""
    config.addinivalue_line("markers", "power: needs root and loop devices; says so when it is skipped")

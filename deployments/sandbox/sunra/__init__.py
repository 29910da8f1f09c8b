"""Sunra's API, as its documents tell it."""

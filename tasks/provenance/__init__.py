"""Provenance on the way out: what copies that leave an archive say about themselves. The originals never change."""

"""The archive: bytes that are never lost, records of where they came from, and a ledger of what they cost.

`block.py` is the configuration; `archive.py` opens it. Bytes: `store.py`. Records: `catalogue.py`. Money: `ledger.py`.
"""

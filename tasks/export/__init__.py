"""Exports: pictures leave the archive as a dataset that other programs load, or as files that people send.

`terms.py` says what may be wished for, `select.py` which pictures that means, `copies.py` makes the copies with their
marks, one module for each format writes them, `draft.py` sees to it that an export is whole or not there.
"""

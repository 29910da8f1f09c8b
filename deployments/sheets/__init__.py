"""A page server for contact sheets: an archive as browsers may see it, read-only, on this machine alone.

`files.py` decides what may be read and how a browser is to treat it, `listing.py` finds the sheets, `app.py` is the
application, `__main__.py` the command line.
"""

"""The gate: what every paid picture has to pass before it is kept.

`structure.py` walks through a file's own structure (one module for each format), `admit.py` adds the one full decode
of `tasks/checks.py` and holds what came against what was asked for, `quarantine.py` keeps what did not pass.
"""

"""The archive's upkeep, as flows: what it needs from time to time, and after something has happened to it.

| flow | what | changes |
|---|---|---|
| `verify` | says what is missing, changed or unreadable, and what the catalogue says otherwise | nothing |
| `repair` | mends what `verify` finds, as far as that can be mended | what is damaged |
| `rebuild` | makes the database from what lies in the store: images, editions, verdicts, finished shots | rows |
| `gc` | takes out what nothing names: into the trash, and after a grace period for good | orphans |
| `dedupe` | judges all pictures anew, by one rule | verdicts, where it is told to |
| `reconcile` | finds out what became of shots that runs have left open | the ledger |

None of them buys anything.
"""

from flows.care.deduping import dedupe
from flows.care.rebuilding import rebuild
from flows.care.reconciling import Reconciled, reconcile
from flows.care.repairing import repair
from flows.care.sweeping import gc
from flows.care.verifying import verify

__all__ = ["Reconciled", "dedupe", "gc", "rebuild", "reconcile", "repair", "verify"]

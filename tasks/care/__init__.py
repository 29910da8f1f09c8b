"""The archive's upkeep, without Prefect: what can have happened to an archive, and how it is mended.

| module | what |
|---|---|
| `findings.py` | what a look can find, and the rules by which it is found |
| `verify.py`, `verify_documents.py` | walk through all that there is; change nothing |
| `witnesses.py` | tell which is damaged where a record and its row say otherwise |
| `repair.py`, `refetch.py` | mend what was found, from the trash, from rows, from the provider |
| `rebuild.py`, `restore.py`, `restore_editions.py` | make a database that was lost out of what lies in the store |
| `named.py`, `sweep.py` | find what nothing names, and take it away in two steps |

The flows over them are in `flows/care/`.
"""

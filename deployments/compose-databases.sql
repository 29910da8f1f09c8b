-- Catalogue and ledger of the archive, beside Prefect's own database.
CREATE DATABASE archive;

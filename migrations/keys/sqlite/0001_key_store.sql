-- Letterkeep, key store: the accounts' keys, each wrapped by a root key that is in no database.
-- Kept apart from the data: another file (SQLite) or another schema (PostgreSQL), with its own backups.

CREATE TABLE account_key (
    account_id BLOB NOT NULL,
    purpose TEXT NOT NULL,
    version INTEGER NOT NULL,
    root_id BLOB NOT NULL,
    wrapped BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    usable_from INTEGER NOT NULL,
    PRIMARY KEY (account_id, purpose, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE key_rotation (
    rotation_id BLOB NOT NULL,
    account_id BLOB NOT NULL,
    target INTEGER NOT NULL,
    sealed_table TEXT NOT NULL,
    after_row BLOB NOT NULL,
    resealed INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    finished_at INTEGER,
    PRIMARY KEY (rotation_id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX key_rotation_open ON key_rotation (account_id) WHERE finished_at IS NULL;

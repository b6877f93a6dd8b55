-- Letterkeep, key store: the accounts' keys, each wrapped by a root key that is in no database.
-- Kept apart from the data: another file (SQLite) or another schema (PostgreSQL), with its own backups.

CREATE TABLE account_key (
    account_id UUID NOT NULL,
    purpose TEXT NOT NULL,
    version BIGINT NOT NULL,
    root_id BYTEA NOT NULL,
    wrapped BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    usable_from BIGINT NOT NULL,
    PRIMARY KEY (account_id, purpose, version)
);

CREATE TABLE key_rotation (
    rotation_id UUID NOT NULL,
    account_id UUID NOT NULL,
    target BIGINT NOT NULL,
    sealed_table TEXT NOT NULL,
    after_row UUID NOT NULL,
    resealed BIGINT NOT NULL,
    started_at BIGINT NOT NULL,
    finished_at BIGINT,
    PRIMARY KEY (rotation_id)
);
CREATE UNIQUE INDEX key_rotation_open ON key_rotation (account_id) WHERE finished_at IS NULL;

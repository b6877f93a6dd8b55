-- Addresses of contacts that an import unsubscribed were not suppressed: erasing the contact would have lost the no.
INSERT INTO suppression (account_id, email_index, reason, source, created_at)
    SELECT account_id, email_index, 'unsubscribed', permission_source, permission_at FROM contact
    WHERE permission = 'unsubscribed'
    ON CONFLICT (account_id, email_index) DO NOTHING;

-- What the check of a large import file found before it runs: one row an import, removed when the import goes on.
CREATE TABLE import_check (
    account_id BLOB NOT NULL,
    import_id BLOB NOT NULL,
    state TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    rows_done INTEGER NOT NULL,
    rows_total INTEGER,
    result BLOB,
    key_version INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (account_id, import_id)
) STRICT, WITHOUT ROWID;

-- The lists and tags that an import made, so that an undo can remove them where nobody uses them.
CREATE TABLE import_made (
    account_id BLOB NOT NULL,
    import_id BLOB NOT NULL,
    kind TEXT NOT NULL,
    made_id BLOB NOT NULL,
    PRIMARY KEY (account_id, import_id, kind, made_id)
) STRICT, WITHOUT ROWID;

-- Addresses of contacts that an import unsubscribed were not suppressed: erasing the contact would have lost the no.
INSERT INTO suppression (account_id, email_index, reason, source, created_at)
    SELECT account_id, email_index, 'unsubscribed', permission_source, permission_at FROM contact
    WHERE permission = 'unsubscribed'
    ON CONFLICT (account_id, email_index) DO NOTHING;

-- What the check of a large import file found before it runs: one row an import, removed when the import goes on.
CREATE TABLE import_check (
    account_id UUID NOT NULL,
    import_id UUID NOT NULL,
    state TEXT NOT NULL,
    epoch BIGINT NOT NULL,
    rows_done BIGINT NOT NULL,
    rows_total BIGINT,
    result BYTEA,
    key_version BIGINT NOT NULL,
    started_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (account_id, import_id)
);

-- The lists and tags that an import made, so that an undo can remove them where nobody uses them.
CREATE TABLE import_made (
    account_id UUID NOT NULL,
    import_id UUID NOT NULL,
    kind TEXT NOT NULL,
    made_id UUID NOT NULL,
    PRIMARY KEY (account_id, import_id, kind, made_id)
);

-- Contacts in the order they came, found through indexes: in a WITHOUT ROWID table the inner pages hold whole sealed
-- records, so that the tree of a million contacts is six levels deep, and each entry of the address index repeats the
-- contact's id.
CREATE TABLE contact_new (
    account_id BLOB NOT NULL,
    contact_id BLOB NOT NULL,
    email_index BLOB NOT NULL,
    record BLOB NOT NULL,
    key_version INTEGER NOT NULL,
    permission TEXT NOT NULL,
    permission_source TEXT NOT NULL,
    permission_at INTEGER NOT NULL,
    tracking TEXT NOT NULL,
    tracking_at INTEGER NOT NULL,
    import_id BLOB,
    revision INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (account_id, contact_id)
) STRICT;
INSERT INTO contact_new (account_id, contact_id, email_index, record, key_version, permission, permission_source,
        permission_at, tracking, tracking_at, import_id, revision, created_at, updated_at)
    SELECT account_id, contact_id, email_index, record, key_version, permission, permission_source, permission_at,
        tracking, tracking_at, import_id, revision, created_at, updated_at FROM contact ORDER BY account_id, contact_id;
DROP TABLE contact;
ALTER TABLE contact_new RENAME TO contact;
CREATE UNIQUE INDEX contact_by_email ON contact (account_id, email_index);
CREATE INDEX contact_by_permission ON contact (account_id, permission, contact_id);

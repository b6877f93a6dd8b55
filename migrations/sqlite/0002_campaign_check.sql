-- What was counted about the audience of a draft before it is sent: one row a campaign, for the revision it was counted
-- for. The result holds counts, merge keys and ids of contacts alone, as JSON. audit_seq is the entry of the account's
-- audit log that began the count: later entries about contacts mean that the figures may have moved.
CREATE TABLE campaign_check (
    account_id BLOB NOT NULL,
    campaign_id BLOB NOT NULL,
    revision INTEGER NOT NULL,
    state TEXT NOT NULL,
    checked INTEGER NOT NULL,
    total INTEGER NOT NULL,
    audit_seq INTEGER NOT NULL,
    result TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (account_id, campaign_id)
) STRICT, WITHOUT ROWID;

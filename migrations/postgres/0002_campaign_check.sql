-- What was counted about the audience of a draft before it is sent: one row a campaign, for the revision it was counted
-- for. The result holds counts, merge keys and ids of contacts alone, as JSON. audit_seq is the entry of the account's
-- audit log that began the count: later entries about contacts mean that the figures may have moved.
CREATE TABLE campaign_check (
    account_id UUID NOT NULL,
    campaign_id UUID NOT NULL,
    revision BIGINT NOT NULL,
    state TEXT NOT NULL,
    checked BIGINT NOT NULL,
    total BIGINT NOT NULL,
    audit_seq BIGINT NOT NULL,
    result TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (account_id, campaign_id)
);

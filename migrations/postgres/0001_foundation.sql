-- Letterkeep, data. Times are microseconds since the Unix epoch (UTC). JSON stands in TEXT and is never queried inside.
-- Sealed columns are opaque bytes that only the account's keys open; key_version says which version sealed the row.
-- Every tenant table leads its key with account_id.

-- Organisations and their people.
CREATE TABLE account (
    account_id UUID NOT NULL,
    name TEXT NOT NULL,
    locale TEXT NOT NULL,
    time_zone TEXT NOT NULL,
    postal_address TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    closed_at BIGINT,
    PRIMARY KEY (account_id)
);

CREATE TABLE app_user (
    account_id UUID NOT NULL,
    user_id UUID NOT NULL,
    user_name TEXT NOT NULL,
    user_name_folded TEXT NOT NULL,
    email BYTEA,
    password BYTEA NOT NULL,
    key_version BIGINT NOT NULL,
    role TEXT NOT NULL,
    locale TEXT NOT NULL,
    state TEXT NOT NULL,
    password_changed_at BIGINT NOT NULL,
    recovery_shown_at BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (account_id, user_id)
);
CREATE UNIQUE INDEX app_user_by_name ON app_user (user_name_folded);
CREATE UNIQUE INDEX app_user_by_id ON app_user (user_id);

CREATE TABLE totp_factor (
    account_id UUID NOT NULL,
    user_id UUID NOT NULL,
    secret BYTEA NOT NULL,
    pending BYTEA,
    key_version BIGINT NOT NULL,
    last_step BIGINT NOT NULL,
    failures BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    confirmed_at BIGINT,
    PRIMARY KEY (account_id, user_id)
);

CREATE TABLE recovery_code (
    account_id UUID NOT NULL,
    user_id UUID NOT NULL,
    code_hash BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    used_at BIGINT,
    PRIMARY KEY (account_id, user_id, code_hash)
);

CREATE TABLE session (
    session_hash BYTEA NOT NULL,
    session_id UUID NOT NULL,
    account_id UUID NOT NULL,
    user_id UUID NOT NULL,
    device_id UUID,
    stage TEXT NOT NULL,
    client TEXT NOT NULL,
    factor_at BIGINT,
    created_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL,
    idle_until BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (session_hash)
);
CREATE INDEX session_by_user ON session (account_id, user_id);

CREATE TABLE device (
    account_id UUID NOT NULL,
    device_id UUID NOT NULL,
    user_id UUID NOT NULL,
    token_hash BYTEA NOT NULL,
    client TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL,
    PRIMARY KEY (account_id, device_id)
);
CREATE UNIQUE INDEX device_by_token ON device (token_hash);
CREATE INDEX device_by_user ON device (account_id, user_id);

CREATE TABLE throttle (
    throttle_key BYTEA NOT NULL,
    failures BIGINT NOT NULL,
    window_started_at BIGINT NOT NULL,
    blocked_until BIGINT NOT NULL,
    PRIMARY KEY (throttle_key)
);

CREATE TABLE invitation (
    account_id UUID NOT NULL,
    invitation_id UUID NOT NULL,
    token_hash BYTEA NOT NULL,
    email BYTEA,
    key_version BIGINT NOT NULL,
    role TEXT NOT NULL,
    invited_by UUID NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    accepted_at BIGINT,
    PRIMARY KEY (account_id, invitation_id)
);
CREATE UNIQUE INDEX invitation_by_token ON invitation (token_hash);

-- The audit log: a hash chain an account, its head kept beside it.
CREATE TABLE audit_head (
    account_id UUID NOT NULL,
    seq BIGINT NOT NULL,
    hash BYTEA NOT NULL,
    PRIMARY KEY (account_id)
);

CREATE TABLE audit_entry (
    account_id UUID NOT NULL,
    seq BIGINT NOT NULL,
    at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    object TEXT NOT NULL,
    detail TEXT NOT NULL,
    request_id UUID NOT NULL,
    prev_hash BYTEA NOT NULL,
    hash BYTEA NOT NULL,
    PRIMARY KEY (account_id, seq)
);

-- Contacts: one sealed record each; the address is found by its blind index.
CREATE TABLE contact (
    account_id UUID NOT NULL,
    contact_id UUID NOT NULL,
    email_index BYTEA NOT NULL,
    record BYTEA NOT NULL,
    key_version BIGINT NOT NULL,
    permission TEXT NOT NULL,
    permission_source TEXT NOT NULL,
    permission_at BIGINT NOT NULL,
    tracking TEXT NOT NULL,
    tracking_at BIGINT NOT NULL,
    import_id UUID,
    revision BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (account_id, contact_id)
);
CREATE UNIQUE INDEX contact_by_email ON contact (account_id, email_index);
CREATE INDEX contact_by_permission ON contact (account_id, permission, contact_id);

-- How many contacts there are, kept in step by every transaction that changes it.
CREATE TABLE contact_count (
    account_id UUID NOT NULL,
    permission TEXT NOT NULL,
    contacts BIGINT NOT NULL,
    PRIMARY KEY (account_id, permission)
);

CREATE TABLE permission_change (
    account_id UUID NOT NULL,
    change_id UUID NOT NULL,
    contact_id UUID NOT NULL,
    subject TEXT NOT NULL,
    before TEXT NOT NULL,
    after TEXT NOT NULL,
    source TEXT NOT NULL,
    evidence BYTEA,
    key_version BIGINT NOT NULL,
    actor TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (account_id, change_id)
);
CREATE INDEX permission_change_by_contact ON permission_change (account_id, contact_id, change_id);

CREATE TABLE suppression (
    account_id UUID NOT NULL,
    email_index BYTEA NOT NULL,
    reason TEXT NOT NULL,
    source TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (account_id, email_index)
);

CREATE TABLE list (
    account_id UUID NOT NULL,
    list_id UUID NOT NULL,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    members BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (account_id, list_id)
);
CREATE UNIQUE INDEX list_by_name ON list (account_id, name);

CREATE TABLE list_member (
    account_id UUID NOT NULL,
    list_id UUID NOT NULL,
    contact_id UUID NOT NULL,
    import_id UUID,
    added_at BIGINT NOT NULL,
    PRIMARY KEY (account_id, list_id, contact_id)
);

CREATE TABLE tag (
    account_id UUID NOT NULL,
    tag_id UUID NOT NULL,
    name TEXT NOT NULL,
    members BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (account_id, tag_id)
);
CREATE UNIQUE INDEX tag_by_name ON tag (account_id, name);

CREATE TABLE contact_tag (
    account_id UUID NOT NULL,
    tag_id UUID NOT NULL,
    contact_id UUID NOT NULL,
    import_id UUID,
    added_at BIGINT NOT NULL,
    PRIMARY KEY (account_id, tag_id, contact_id)
);

CREATE TABLE custom_field (
    account_id UUID NOT NULL,
    field_id UUID NOT NULL,
    merge_key TEXT NOT NULL,
    label TEXT NOT NULL,
    kind TEXT NOT NULL,
    options TEXT NOT NULL,
    position BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (account_id, field_id)
);
CREATE UNIQUE INDEX custom_field_by_key ON custom_field (account_id, merge_key);

-- Files at rest, sealed in chunks, and the imports that read them.
CREATE TABLE sealed_file (
    account_id UUID NOT NULL,
    file_id UUID NOT NULL,
    name BYTEA NOT NULL,
    key_version BIGINT NOT NULL,
    size BIGINT NOT NULL,
    chunks BIGINT NOT NULL,
    complete BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (account_id, file_id)
);

CREATE TABLE sealed_file_chunk (
    account_id UUID NOT NULL,
    chunk_id UUID NOT NULL,
    file_id UUID NOT NULL,
    seq BIGINT NOT NULL,
    size BIGINT NOT NULL,
    body BYTEA NOT NULL,
    key_version BIGINT NOT NULL,
    PRIMARY KEY (account_id, chunk_id)
);
CREATE UNIQUE INDEX sealed_file_chunk_by_seq ON sealed_file_chunk (account_id, file_id, seq);

CREATE TABLE import (
    account_id UUID NOT NULL,
    import_id UUID NOT NULL,
    file_id UUID NOT NULL,
    reject_file_id UUID,
    state TEXT NOT NULL,
    format TEXT NOT NULL,
    settings BYTEA NOT NULL,
    key_version BIGINT NOT NULL,
    cursor TEXT NOT NULL,
    rows_total BIGINT,
    rows_done BIGINT NOT NULL,
    created BIGINT NOT NULL,
    updated BIGINT NOT NULL,
    unchanged BIGINT NOT NULL,
    duplicate BIGINT NOT NULL,
    rejected BIGINT NOT NULL,
    problem TEXT,
    actor TEXT NOT NULL,
    epoch BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    started_at BIGINT,
    finished_at BIGINT,
    PRIMARY KEY (account_id, import_id)
);

CREATE TABLE import_change (
    account_id UUID NOT NULL,
    change_id UUID NOT NULL,
    import_id UUID NOT NULL,
    contact_id UUID NOT NULL,
    previous BYTEA NOT NULL,
    key_version BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    PRIMARY KEY (account_id, change_id)
);
CREATE INDEX import_change_by_import ON import_change (account_id, import_id, change_id);
CREATE INDEX import_change_by_contact ON import_change (account_id, contact_id);

-- Campaigns; a campaign activity is one sending, its recipients are the ledger.
CREATE TABLE campaign (
    account_id UUID NOT NULL,
    campaign_id UUID NOT NULL,
    name TEXT NOT NULL,
    state TEXT NOT NULL,
    state_reason TEXT NOT NULL,
    content BYTEA NOT NULL,
    key_version BIGINT NOT NULL,
    audience TEXT NOT NULL,
    scheduled_at BIGINT,
    activity_id UUID,
    revision BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (account_id, campaign_id)
);

CREATE TABLE campaign_activity (
    account_id UUID NOT NULL,
    activity_id UUID NOT NULL,
    campaign_id UUID NOT NULL,
    state TEXT NOT NULL,
    content BYTEA NOT NULL,
    key_version BIGINT NOT NULL,
    audience TEXT NOT NULL,
    recipients BIGINT NOT NULL,
    freeze_cursor UUID,
    frozen_at BIGINT,
    started_at BIGINT NOT NULL,
    finished_at BIGINT,
    PRIMARY KEY (account_id, activity_id)
);
CREATE INDEX campaign_activity_by_campaign ON campaign_activity (account_id, campaign_id, activity_id);

CREATE TABLE campaign_link (
    account_id UUID NOT NULL,
    activity_id UUID NOT NULL,
    link_number BIGINT NOT NULL,
    url TEXT NOT NULL,
    label TEXT NOT NULL,
    PRIMARY KEY (account_id, activity_id, link_number)
);

CREATE TABLE recipient (
    account_id UUID NOT NULL,
    activity_id UUID NOT NULL,
    contact_id UUID NOT NULL,
    state TEXT NOT NULL,
    reason TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    next_at BIGINT NOT NULL,
    lease_epoch BIGINT NOT NULL,
    lease_until BIGINT NOT NULL,
    reply_code BIGINT,
    enhanced_code TEXT,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (account_id, activity_id, contact_id)
);
CREATE INDEX recipient_due ON recipient (account_id, activity_id, next_at, contact_id) WHERE state IN ('planned', 'deferred');
CREATE INDEX recipient_held ON recipient (account_id, activity_id, lease_until) WHERE state IN ('leased', 'sending');

CREATE TABLE delivery_reply (
    account_id UUID NOT NULL,
    reply_id UUID NOT NULL,
    activity_id UUID NOT NULL,
    contact_id UUID NOT NULL,
    attempt BIGINT NOT NULL,
    reply_code BIGINT,
    reply BYTEA NOT NULL,
    key_version BIGINT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (account_id, reply_id)
);
CREATE INDEX delivery_reply_by_recipient ON delivery_reply (account_id, activity_id, contact_id, reply_id);

CREATE TABLE engagement (
    account_id UUID NOT NULL,
    activity_id UUID NOT NULL,
    engagement_id UUID NOT NULL,
    contact_id UUID NOT NULL,
    kind TEXT NOT NULL,
    link_number BIGINT,
    first BOOLEAN NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (account_id, activity_id, engagement_id)
);
CREATE INDEX engagement_by_contact ON engagement (account_id, contact_id, activity_id, kind, link_number);

CREATE TABLE sending_domain (
    account_id UUID NOT NULL,
    domain_id UUID NOT NULL,
    domain TEXT NOT NULL,
    rsa_selector TEXT NOT NULL,
    rsa_public TEXT NOT NULL,
    rsa_private BYTEA NOT NULL,
    ed25519_selector TEXT NOT NULL,
    ed25519_public TEXT NOT NULL,
    ed25519_private BYTEA NOT NULL,
    key_version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (account_id, domain_id)
);
CREATE UNIQUE INDEX sending_domain_by_name ON sending_domain (account_id, domain);

CREATE TABLE relay (
    account_id UUID NOT NULL,
    relay_id UUID NOT NULL,
    host TEXT NOT NULL,
    port BIGINT NOT NULL,
    security TEXT NOT NULL,
    user_name TEXT NOT NULL,
    password BYTEA,
    key_version BIGINT NOT NULL,
    connections BIGINT NOT NULL,
    per_destination_per_minute BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (account_id, relay_id)
);

-- Background work.
CREATE TABLE job (
    job_id UUID NOT NULL,
    account_id UUID NOT NULL,
    kind TEXT NOT NULL,
    payload TEXT NOT NULL,
    dedup TEXT,
    state TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    max_attempts BIGINT NOT NULL,
    run_at BIGINT NOT NULL,
    lease_until BIGINT NOT NULL,
    epoch BIGINT NOT NULL,
    last_error TEXT,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (job_id)
);
CREATE UNIQUE INDEX job_by_dedup ON job (dedup);
CREATE INDEX job_due ON job (run_at, job_id) WHERE state = 'ready';
CREATE INDEX job_leased ON job (lease_until) WHERE state = 'leased';

-- Letterkeep, data. Times are microseconds since the Unix epoch (UTC). JSON stands in TEXT and is never queried inside.
-- Sealed columns are opaque bytes that only the account's keys open; key_version says which version sealed the row.
-- Every tenant table leads its key with account_id.

-- Organisations and their people.
CREATE TABLE account (
    account_id BLOB NOT NULL,
    name TEXT NOT NULL,
    locale TEXT NOT NULL,
    time_zone TEXT NOT NULL,
    postal_address TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    closed_at INTEGER,
    PRIMARY KEY (account_id)
) STRICT;

CREATE TABLE app_user (
    account_id BLOB NOT NULL,
    user_id BLOB NOT NULL,
    user_name TEXT NOT NULL,
    user_name_folded TEXT NOT NULL,
    email BLOB,
    password BLOB NOT NULL,
    key_version INTEGER NOT NULL,
    role TEXT NOT NULL,
    locale TEXT NOT NULL,
    state TEXT NOT NULL,
    password_changed_at INTEGER NOT NULL,
    recovery_shown_at INTEGER,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (account_id, user_id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX app_user_by_name ON app_user (user_name_folded);
CREATE UNIQUE INDEX app_user_by_id ON app_user (user_id);

CREATE TABLE totp_factor (
    account_id BLOB NOT NULL,
    user_id BLOB NOT NULL,
    secret BLOB NOT NULL,
    pending BLOB,
    key_version INTEGER NOT NULL,
    last_step INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    confirmed_at INTEGER,
    PRIMARY KEY (account_id, user_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE recovery_code (
    account_id BLOB NOT NULL,
    user_id BLOB NOT NULL,
    code_hash BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    used_at INTEGER,
    PRIMARY KEY (account_id, user_id, code_hash)
) STRICT, WITHOUT ROWID;

CREATE TABLE session (
    session_hash BLOB NOT NULL,
    session_id BLOB NOT NULL,
    account_id BLOB NOT NULL,
    user_id BLOB NOT NULL,
    device_id BLOB,
    stage TEXT NOT NULL,
    client TEXT NOT NULL,
    factor_at INTEGER,
    created_at INTEGER NOT NULL,
    seen_at INTEGER NOT NULL,
    idle_until INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (session_hash)
) STRICT, WITHOUT ROWID;
CREATE INDEX session_by_user ON session (account_id, user_id);

CREATE TABLE device (
    account_id BLOB NOT NULL,
    device_id BLOB NOT NULL,
    user_id BLOB NOT NULL,
    token_hash BLOB NOT NULL,
    client TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    seen_at INTEGER NOT NULL,
    PRIMARY KEY (account_id, device_id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX device_by_token ON device (token_hash);
CREATE INDEX device_by_user ON device (account_id, user_id);

CREATE TABLE throttle (
    throttle_key BLOB NOT NULL,
    failures INTEGER NOT NULL,
    window_started_at INTEGER NOT NULL,
    blocked_until INTEGER NOT NULL,
    PRIMARY KEY (throttle_key)
) STRICT, WITHOUT ROWID;

CREATE TABLE invitation (
    account_id BLOB NOT NULL,
    invitation_id BLOB NOT NULL,
    token_hash BLOB NOT NULL,
    email BLOB,
    key_version INTEGER NOT NULL,
    role TEXT NOT NULL,
    invited_by BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    accepted_at INTEGER,
    PRIMARY KEY (account_id, invitation_id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX invitation_by_token ON invitation (token_hash);

-- The audit log: a hash chain an account, its head kept beside it.
CREATE TABLE audit_head (
    account_id BLOB NOT NULL,
    seq INTEGER NOT NULL,
    hash BLOB NOT NULL,
    PRIMARY KEY (account_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE audit_entry (
    account_id BLOB NOT NULL,
    seq INTEGER NOT NULL,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    object TEXT NOT NULL,
    detail TEXT NOT NULL,
    request_id BLOB NOT NULL,
    prev_hash BLOB NOT NULL,
    hash BLOB NOT NULL,
    PRIMARY KEY (account_id, seq)
) STRICT, WITHOUT ROWID;

-- Contacts: one sealed record each; the address is found by its blind index.
CREATE TABLE contact (
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
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX contact_by_email ON contact (account_id, email_index);
CREATE INDEX contact_by_permission ON contact (account_id, permission, contact_id);

-- How many contacts there are, kept in step by every transaction that changes it.
CREATE TABLE contact_count (
    account_id BLOB NOT NULL,
    permission TEXT NOT NULL,
    contacts INTEGER NOT NULL,
    PRIMARY KEY (account_id, permission)
) STRICT, WITHOUT ROWID;

CREATE TABLE permission_change (
    account_id BLOB NOT NULL,
    change_id BLOB NOT NULL,
    contact_id BLOB NOT NULL,
    subject TEXT NOT NULL,
    before TEXT NOT NULL,
    after TEXT NOT NULL,
    source TEXT NOT NULL,
    evidence BLOB,
    key_version INTEGER NOT NULL,
    actor TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (account_id, change_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX permission_change_by_contact ON permission_change (account_id, contact_id, change_id);

CREATE TABLE suppression (
    account_id BLOB NOT NULL,
    email_index BLOB NOT NULL,
    reason TEXT NOT NULL,
    source TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (account_id, email_index)
) STRICT, WITHOUT ROWID;

CREATE TABLE list (
    account_id BLOB NOT NULL,
    list_id BLOB NOT NULL,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    members INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (account_id, list_id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX list_by_name ON list (account_id, name);

CREATE TABLE list_member (
    account_id BLOB NOT NULL,
    list_id BLOB NOT NULL,
    contact_id BLOB NOT NULL,
    import_id BLOB,
    added_at INTEGER NOT NULL,
    PRIMARY KEY (account_id, list_id, contact_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE tag (
    account_id BLOB NOT NULL,
    tag_id BLOB NOT NULL,
    name TEXT NOT NULL,
    members INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (account_id, tag_id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX tag_by_name ON tag (account_id, name);

CREATE TABLE contact_tag (
    account_id BLOB NOT NULL,
    tag_id BLOB NOT NULL,
    contact_id BLOB NOT NULL,
    import_id BLOB,
    added_at INTEGER NOT NULL,
    PRIMARY KEY (account_id, tag_id, contact_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE custom_field (
    account_id BLOB NOT NULL,
    field_id BLOB NOT NULL,
    merge_key TEXT NOT NULL,
    label TEXT NOT NULL,
    kind TEXT NOT NULL,
    options TEXT NOT NULL,
    position INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (account_id, field_id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX custom_field_by_key ON custom_field (account_id, merge_key);

-- Files at rest, sealed in chunks, and the imports that read them.
CREATE TABLE sealed_file (
    account_id BLOB NOT NULL,
    file_id BLOB NOT NULL,
    name BLOB NOT NULL,
    key_version INTEGER NOT NULL,
    size INTEGER NOT NULL,
    chunks INTEGER NOT NULL,
    complete INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (account_id, file_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE sealed_file_chunk (
    account_id BLOB NOT NULL,
    chunk_id BLOB NOT NULL,
    file_id BLOB NOT NULL,
    seq INTEGER NOT NULL,
    size INTEGER NOT NULL,
    body BLOB NOT NULL,
    key_version INTEGER NOT NULL,
    PRIMARY KEY (account_id, chunk_id)
) STRICT;
CREATE UNIQUE INDEX sealed_file_chunk_by_seq ON sealed_file_chunk (account_id, file_id, seq);

CREATE TABLE import (
    account_id BLOB NOT NULL,
    import_id BLOB NOT NULL,
    file_id BLOB NOT NULL,
    reject_file_id BLOB,
    state TEXT NOT NULL,
    format TEXT NOT NULL,
    settings BLOB NOT NULL,
    key_version INTEGER NOT NULL,
    cursor TEXT NOT NULL,
    rows_total INTEGER,
    rows_done INTEGER NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    unchanged INTEGER NOT NULL,
    duplicate INTEGER NOT NULL,
    rejected INTEGER NOT NULL,
    problem TEXT,
    actor TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    started_at INTEGER,
    finished_at INTEGER,
    PRIMARY KEY (account_id, import_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE import_change (
    account_id BLOB NOT NULL,
    change_id BLOB NOT NULL,
    import_id BLOB NOT NULL,
    contact_id BLOB NOT NULL,
    previous BLOB NOT NULL,
    key_version INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    PRIMARY KEY (account_id, change_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX import_change_by_import ON import_change (account_id, import_id, change_id);
CREATE INDEX import_change_by_contact ON import_change (account_id, contact_id);

-- Campaigns; a campaign activity is one sending, its recipients are the ledger.
CREATE TABLE campaign (
    account_id BLOB NOT NULL,
    campaign_id BLOB NOT NULL,
    name TEXT NOT NULL,
    state TEXT NOT NULL,
    state_reason TEXT NOT NULL,
    content BLOB NOT NULL,
    key_version INTEGER NOT NULL,
    audience TEXT NOT NULL,
    scheduled_at INTEGER,
    activity_id BLOB,
    revision INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (account_id, campaign_id)
) STRICT;

CREATE TABLE campaign_activity (
    account_id BLOB NOT NULL,
    activity_id BLOB NOT NULL,
    campaign_id BLOB NOT NULL,
    state TEXT NOT NULL,
    content BLOB NOT NULL,
    key_version INTEGER NOT NULL,
    audience TEXT NOT NULL,
    recipients INTEGER NOT NULL,
    freeze_cursor BLOB,
    frozen_at INTEGER,
    started_at INTEGER NOT NULL,
    finished_at INTEGER,
    PRIMARY KEY (account_id, activity_id)
) STRICT;
CREATE INDEX campaign_activity_by_campaign ON campaign_activity (account_id, campaign_id, activity_id);

CREATE TABLE campaign_link (
    account_id BLOB NOT NULL,
    activity_id BLOB NOT NULL,
    link_number INTEGER NOT NULL,
    url TEXT NOT NULL,
    label TEXT NOT NULL,
    PRIMARY KEY (account_id, activity_id, link_number)
) STRICT, WITHOUT ROWID;

CREATE TABLE recipient (
    account_id BLOB NOT NULL,
    activity_id BLOB NOT NULL,
    contact_id BLOB NOT NULL,
    state TEXT NOT NULL,
    reason TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    next_at INTEGER NOT NULL,
    lease_epoch INTEGER NOT NULL,
    lease_until INTEGER NOT NULL,
    reply_code INTEGER,
    enhanced_code TEXT,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (account_id, activity_id, contact_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX recipient_due ON recipient (account_id, activity_id, next_at, contact_id) WHERE state IN ('planned', 'deferred');
CREATE INDEX recipient_held ON recipient (account_id, activity_id, lease_until) WHERE state IN ('leased', 'sending');

CREATE TABLE delivery_reply (
    account_id BLOB NOT NULL,
    reply_id BLOB NOT NULL,
    activity_id BLOB NOT NULL,
    contact_id BLOB NOT NULL,
    attempt INTEGER NOT NULL,
    reply_code INTEGER,
    reply BLOB NOT NULL,
    key_version INTEGER NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (account_id, reply_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX delivery_reply_by_recipient ON delivery_reply (account_id, activity_id, contact_id, reply_id);

CREATE TABLE engagement (
    account_id BLOB NOT NULL,
    activity_id BLOB NOT NULL,
    engagement_id BLOB NOT NULL,
    contact_id BLOB NOT NULL,
    kind TEXT NOT NULL,
    link_number INTEGER,
    first INTEGER NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (account_id, activity_id, engagement_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX engagement_by_contact ON engagement (account_id, contact_id, activity_id, kind, link_number);

CREATE TABLE sending_domain (
    account_id BLOB NOT NULL,
    domain_id BLOB NOT NULL,
    domain TEXT NOT NULL,
    rsa_selector TEXT NOT NULL,
    rsa_public TEXT NOT NULL,
    rsa_private BLOB NOT NULL,
    ed25519_selector TEXT NOT NULL,
    ed25519_public TEXT NOT NULL,
    ed25519_private BLOB NOT NULL,
    key_version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (account_id, domain_id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX sending_domain_by_name ON sending_domain (account_id, domain);

CREATE TABLE relay (
    account_id BLOB NOT NULL,
    relay_id BLOB NOT NULL,
    host TEXT NOT NULL,
    port INTEGER NOT NULL,
    security TEXT NOT NULL,
    user_name TEXT NOT NULL,
    password BLOB,
    key_version INTEGER NOT NULL,
    connections INTEGER NOT NULL,
    per_destination_per_minute INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (account_id, relay_id)
) STRICT, WITHOUT ROWID;

-- Background work.
CREATE TABLE job (
    job_id BLOB NOT NULL,
    account_id BLOB NOT NULL,
    kind TEXT NOT NULL,
    payload TEXT NOT NULL,
    dedup TEXT,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    max_attempts INTEGER NOT NULL,
    run_at INTEGER NOT NULL,
    lease_until INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    last_error TEXT,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (job_id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX job_by_dedup ON job (dedup);
CREATE INDEX job_due ON job (run_at, job_id) WHERE state = 'ready';
CREATE INDEX job_leased ON job (lease_until) WHERE state = 'leased';

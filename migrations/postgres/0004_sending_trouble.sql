-- Why a sending cannot go on at this moment, in the words of a page: one row while it is held up. Sealed, because mail
-- servers quote user names and addresses.
CREATE TABLE sending_trouble (
    account_id UUID NOT NULL,
    activity_id UUID NOT NULL,
    trouble BYTEA NOT NULL,
    key_version BIGINT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (account_id, activity_id)
);

-- Few at a time: how many jobs of an account run is asked with every claim.
CREATE INDEX job_running ON job (account_id) WHERE state = 'leased';

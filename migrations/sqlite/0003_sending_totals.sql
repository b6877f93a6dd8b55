-- How many recipients of a sending have come to which end, kept right by every statement that ends one, so that a page
-- which looks again and again need not count the ledger. The marks are two moments of the last seconds with the number
-- ended by then: from them comes the rate.
ALTER TABLE campaign_activity ADD COLUMN accepted INTEGER NOT NULL DEFAULT 0;
ALTER TABLE campaign_activity ADD COLUMN failed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE campaign_activity ADD COLUMN skipped INTEGER NOT NULL DEFAULT 0;
ALTER TABLE campaign_activity ADD COLUMN in_doubt INTEGER NOT NULL DEFAULT 0;
ALTER TABLE campaign_activity ADD COLUMN mark_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE campaign_activity ADD COLUMN mark_done INTEGER NOT NULL DEFAULT 0;
ALTER TABLE campaign_activity ADD COLUMN past_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE campaign_activity ADD COLUMN past_done INTEGER NOT NULL DEFAULT 0;
UPDATE campaign_activity SET
    recipients = (SELECT COUNT(*) FROM recipient r
        WHERE r.account_id = campaign_activity.account_id AND r.activity_id = campaign_activity.activity_id),
    accepted = (SELECT COUNT(*) FROM recipient r WHERE r.account_id = campaign_activity.account_id
        AND r.activity_id = campaign_activity.activity_id AND r.state = 'accepted'),
    failed = (SELECT COUNT(*) FROM recipient r WHERE r.account_id = campaign_activity.account_id
        AND r.activity_id = campaign_activity.activity_id AND r.state = 'failed'),
    skipped = (SELECT COUNT(*) FROM recipient r WHERE r.account_id = campaign_activity.account_id
        AND r.activity_id = campaign_activity.activity_id AND r.state = 'skipped'),
    in_doubt = (SELECT COUNT(*) FROM recipient r WHERE r.account_id = campaign_activity.account_id
        AND r.activity_id = campaign_activity.activity_id AND r.state = 'in_doubt');

-- Few at a time, and all that these two count.
CREATE INDEX recipient_deferred ON recipient (account_id, activity_id) WHERE state = 'deferred';
CREATE INDEX engagement_first ON engagement (account_id, activity_id, kind) WHERE first;

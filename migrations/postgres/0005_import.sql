-- Addresses of contacts that an import unsubscribed were not suppressed: erasing the contact would have lost the no.
INSERT INTO suppression (account_id, email_index, reason, source, created_at)
    SELECT account_id, email_index, 'unsubscribed', permission_source, permission_at FROM contact
    WHERE permission = 'unsubscribed'
    ON CONFLICT (account_id, email_index) DO NOTHING;

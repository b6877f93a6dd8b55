//! Counters of failed attempts. The keys are blind indexes: the table names nobody.

use crate::{Error, Tx};

statements! {
    // The attempt is counted before it is judged, so that guesses made at the same time cannot slip through together.
    CHARGE = "INSERT INTO throttle (throttle_key, failures, window_started_at, blocked_until) VALUES ($1, 1, $2, 0)
        ON CONFLICT (throttle_key) DO UPDATE SET
            failures = CASE WHEN throttle.window_started_at < $3 THEN 1 ELSE throttle.failures + 1 END,
            window_started_at = CASE WHEN throttle.window_started_at < $3 THEN $2
                ELSE throttle.window_started_at END
        WHERE throttle.blocked_until <= $2
        RETURNING failures";
    BLOCK = "UPDATE throttle SET blocked_until = $2 WHERE throttle_key = $1";
    BLOCKED_UNTIL = "SELECT blocked_until FROM throttle WHERE throttle_key = $1";
    REFUND = "UPDATE throttle SET failures = failures - 1, blocked_until = 0 WHERE throttle_key = $1 AND failures > 0";
    CLEAR = "DELETE FROM throttle WHERE throttle_key = $1";
    STALE = "DELETE FROM throttle WHERE window_started_at < $1 AND blocked_until < $1";
}

/// Counts an attempt under `key`, unless the key is blocked. Yields the attempts since the window began, this one
/// included; `None` if the key is blocked. A window that began before `window_from` begins anew.
pub async fn charge(tx: &mut Tx, key: &[u8; 16], now: i64, window_from: i64) -> Result<Option<i64>, Error> {
    Ok(optional!(tx, CHARGE => (i64,), &key[..], now, window_from)?.map(|(failures,)| failures))
}

/// Blocks a key until the given instant.
pub async fn block(tx: &mut Tx, key: &[u8; 16], until: i64) -> Result<(), Error> {
    exec!(tx, BLOCK, &key[..], until)?;
    Ok(())
}

/// Until when a key is blocked; 0 if it is not.
pub async fn blocked_until(tx: &mut Tx, key: &[u8; 16]) -> Result<i64, Error> {
    Ok(optional!(tx, BLOCKED_UNTIL => (i64,), &key[..])?.map_or(0, |(until,)| until))
}

/// Takes back one attempt, because it did not fail, and the pause that it brought.
pub async fn refund(tx: &mut Tx, key: &[u8; 16]) -> Result<(), Error> {
    exec!(tx, REFUND, &key[..])?;
    Ok(())
}

/// Forgets a key.
pub async fn clear(tx: &mut Tx, key: &[u8; 16]) -> Result<(), Error> {
    exec!(tx, CLEAR, &key[..])?;
    Ok(())
}

/// Forgets the keys whose window began, and whose pause ended, before `before`.
pub async fn remove_stale(tx: &mut Tx, before: i64) -> Result<u64, Error> {
    exec!(tx, STALE, before)
}

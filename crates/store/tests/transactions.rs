//! Transactions and the job queue, on both databases.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::time::Duration;

use letterkeep_model::{Id, kind};
use letterkeep_store::audit::{self, Chain, Event};
use letterkeep_store::queue::{self, NewJob, Outcome};
use letterkeep_testkit::{TestHouse, for_each_database};

fn job(kind: &str) -> NewJob<'_> {
    NewJob {
        kind,
        payload: "{}".into(),
        run_at: letterkeep_model::Timestamp::from_seconds(0),
        dedup: None,
        max_attempts: 3,
    }
}

const LEASE: Duration = Duration::from_mins(1);

#[tokio::test]
async fn what_is_not_committed_did_not_happen() {
    for_each_database(async |house| {
        let ctx = house.system(Id::NIL);
        let mut tx = house.store.db.write().await.unwrap();
        queue::enqueue(&ctx, &mut tx, job("dropped")).await.unwrap();
        drop(tx);
        let mut tx = house.store.db.write().await.unwrap();
        queue::enqueue(&ctx, &mut tx, job("kept")).await.unwrap();
        tx.commit().await.unwrap();
        let claimed = queue::claim(&house.store.db, ctx.now(), LEASE).await.unwrap().expect("the committed job");
        assert_eq!(claimed.kind, "kept");
        assert!(queue::claim(&house.store.db, ctx.now(), LEASE).await.unwrap().is_none());
    })
    .await;
}

#[tokio::test]
async fn what_was_released_arrives_with_the_next_commit_or_when_it_is_waited_for() {
    for_each_database(async |house| {
        let ctx = house.system(Id::NIL);
        let enqueue = async |kind: &'static str| {
            let mut tx = house.store.db.write().await.unwrap();
            queue::enqueue(&ctx, &mut tx, job(kind)).await.unwrap();
            tx
        };
        let stored = async |kind: &str| {
            let mut tx = house.store.db.read().await.unwrap();
            queue::count(&mut tx, Id::NIL, kind).await.unwrap()
        };
        let first = enqueue("step").await.release().await.unwrap();
        let second = enqueue("step").await.release().await.unwrap();
        drop(enqueue("undone").await);
        second.durable().await.unwrap();
        assert_eq!((stored("step").await, stored("undone").await), (2, 0), "the earlier one with the later one");
        first.durable().await.unwrap();

        let forgotten = enqueue("forgotten").await.release().await.unwrap();
        enqueue("other").await.commit().await.unwrap();
        assert_eq!(stored("forgotten").await, 1, "somebody else's commit takes it along");
        drop(forgotten);
    })
    .await;
}

#[tokio::test]
async fn a_failed_statement_spoils_only_its_own_transaction() {
    for_each_database(async |house| {
        let ctx = house.system(Id::NIL);
        let mut good = house.store.db.write().await.unwrap();
        let once = NewJob { dedup: Some("once".into()), ..job("good") };
        assert!(queue::enqueue(&ctx, &mut good, once.clone()).await.unwrap());
        good.commit().await.unwrap();
        let mut again = house.store.db.write().await.unwrap();
        assert!(!queue::enqueue(&ctx, &mut again, once).await.unwrap(), "the second is recognised");
        again.commit().await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_writers_at_once_all_become_durable() {
    for_each_database(async |house| {
        let mut writers = tokio::task::JoinSet::new();
        for number in 0..64 {
            let (store, ctx) = (house.store.clone(), house.system(Id::NIL));
            writers.spawn(async move {
                let mut tx = store.db.write().await.unwrap();
                queue::enqueue(&ctx, &mut tx, job("many")).await.unwrap();
                // Every fourth changes its mind.
                if number % 4 == 0 { drop(tx) } else { tx.commit().await.unwrap() }
            });
        }
        while let Some(done) = writers.join_next().await {
            done.unwrap();
        }
        let mut tx = house.store.db.read().await.unwrap();
        assert_eq!(queue::count(&mut tx, Id::NIL, "many").await.unwrap(), 48);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_that_goes_away_leaves_the_writer_usable() {
    for_each_database(async |house| {
        let ctx = house.system(Id::NIL);
        for _ in 0..20 {
            let (store, ctx) = (house.store.clone(), ctx.clone());
            let task = tokio::spawn(async move {
                let mut tx = store.db.write().await.unwrap();
                queue::enqueue(&ctx, &mut tx, job("abandoned")).await.unwrap();
                tokio::task::yield_now().await;
                tx.commit().await.unwrap();
            });
            tokio::task::yield_now().await;
            task.abort();
            let _ = task.await;
        }
        let mut tx = house.store.db.write().await.unwrap();
        queue::enqueue(&ctx, &mut tx, job("after")).await.unwrap();
        tx.commit().await.unwrap();
        let mut tx = house.store.db.read().await.unwrap();
        assert_eq!(queue::count(&mut tx, Id::NIL, "after").await.unwrap(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_vanished_worker_loses_its_job_and_cannot_finish_it() {
    for_each_database(async |house| {
        let ctx = house.system(Id::NIL);
        let mut tx = house.store.db.write().await.unwrap();
        queue::enqueue(&ctx, &mut tx, job("work")).await.unwrap();
        tx.commit().await.unwrap();
        let stale = queue::claim(&house.store.db, ctx.now(), LEASE).await.unwrap().unwrap();
        house.clock.advance(LEASE * 2);
        let fresh = queue::claim(&house.store.db, ctx.now(), LEASE).await.unwrap().expect("claimed again");
        assert_eq!(fresh.job_id, stale.job_id);
        let mut tx = house.store.db.write().await.unwrap();
        queue::settle(&mut tx, &stale, &Outcome::Done, ctx.now()).await.unwrap();
        assert!(!queue::extend(&mut tx, &stale, ctx.now()).await.unwrap());
        tx.commit().await.unwrap();
        let mut tx = house.store.db.read().await.unwrap();
        assert_eq!(queue::count(&mut tx, Id::NIL, "work").await.unwrap(), 1, "the stale worker finished nothing");
        drop(tx);
        let mut tx = house.store.db.write().await.unwrap();
        queue::settle(&mut tx, &fresh, &Outcome::Done, ctx.now()).await.unwrap();
        tx.commit().await.unwrap();
        let mut tx = house.store.db.read().await.unwrap();
        assert_eq!(queue::count(&mut tx, Id::NIL, "work").await.unwrap(), 0);
    })
    .await;
}

#[tokio::test]
async fn a_job_that_keeps_failing_becomes_a_visible_dead_letter() {
    for_each_database(async |house| {
        let ctx = house.system(Id::NIL);
        let mut tx = house.store.db.write().await.unwrap();
        queue::enqueue(&ctx, &mut tx, job("hopeless")).await.unwrap();
        tx.commit().await.unwrap();
        let mut attempts = 0;
        for _ in 0..20 {
            let Some(claimed) = queue::claim(&house.store.db, ctx.now(), LEASE).await.unwrap() else {
                house.clock.advance(Duration::from_secs(5));
                continue;
            };
            attempts += 1;
            let mut tx = house.store.db.write().await.unwrap();
            queue::settle(&mut tx, &claimed, &Outcome::Retry("no route".into()), ctx.now()).await.unwrap();
            tx.commit().await.unwrap();
        }
        assert_eq!(attempts, 3);
        let mut tx = house.store.db.write().await.unwrap();
        let dead = queue::dead(&mut tx, 10).await.unwrap();
        assert_eq!(dead.len(), 1);
        assert_eq!(dead[0].last_error.as_deref(), Some("no route"));
        assert!(queue::revive(&mut tx, Id::from_uuid(dead[0].job_id), ctx.now()).await.unwrap());
        tx.commit().await.unwrap();
        assert!(queue::claim(&house.store.db, ctx.now(), LEASE).await.unwrap().is_some());
    })
    .await;
}

async fn chain_of_three(house: &TestHouse) -> Id<kind::Account> {
    let (account, _) = house.account().await;
    let ctx = house.system(account);
    for action in ["one", "two", "three"] {
        let mut tx = house.store.db.write().await.unwrap();
        audit::append(&ctx, &mut tx, Event { action, object: "", detail: "{}" }).await.unwrap();
        tx.commit().await.unwrap();
    }
    account
}

#[tokio::test]
async fn the_audit_chain_shows_every_tampering() {
    for_each_database(async |house| {
        for (tampering, broken_at) in [
            ("UPDATE audit_entry SET action = 'forged' WHERE seq = 2", 2),
            ("DELETE FROM audit_entry WHERE seq = 1", 1),
            ("DELETE FROM audit_entry WHERE seq = 3", 3),
            ("UPDATE audit_entry SET at = at + 1 WHERE seq = 3", 3),
            ("UPDATE audit_head SET seq = 2", 4),
        ] {
            let account = chain_of_three(house).await;
            let mut tx = house.store.db.read().await.unwrap();
            assert_eq!(audit::verify(&mut tx, account).await.unwrap(), Chain::Whole(3));
            drop(tx);
            run_raw(house, tampering).await;
            let mut tx = house.store.db.read().await.unwrap();
            assert_eq!(audit::verify(&mut tx, account).await.unwrap(), Chain::BrokenAt(broken_at), "{tampering}");
            drop(tx);
            run_raw(house, "DELETE FROM audit_entry").await;
            run_raw(house, "DELETE FROM audit_head").await;
        }
    })
    .await;
}

/// What somebody with the database in their hands could do.
async fn run_raw(house: &TestHouse, statement: &'static str) {
    use sqlx::Connection as _;
    if let Some(url) = house.postgres_url() {
        let mut connection = sqlx::PgConnection::connect(url).await.unwrap();
        sqlx::raw_sql("SET search_path = letterkeep").execute(&mut connection).await.unwrap();
        sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
    } else {
        let options = sqlx::sqlite::SqliteConnectOptions::new()
            .filename(house.dir().join("letterkeep.sqlite3"))
            .busy_timeout(Duration::from_secs(5));
        let mut connection = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
        sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
    }
}

//! Who gets which job, and what becomes of jobs that nobody finishes, on both databases.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::time::Duration;

use letterkeep_model::{Ctx, Id, Timestamp, kind};
use letterkeep_store::queue::{self, ClaimedJob, NewJob, Terms};
use letterkeep_testkit::{TestHouse, for_each_database};

const LEASE: Duration = Duration::from_mins(1);

async fn enqueue(house: &TestHouse, ctx: &Ctx, kind: &str, max_attempts: u16) {
    let run_at = Timestamp::from_seconds(0);
    let job = NewJob { kind, payload: "{}".into(), run_at, dedup: Some(kind.to_owned()), max_attempts };
    let mut tx = house.store.db.write().await.unwrap();
    assert!(queue::enqueue(ctx, &mut tx, job).await.unwrap());
    tx.commit().await.unwrap();
}

async fn bury(house: &TestHouse, now: Timestamp) -> Vec<ClaimedJob> {
    let mut tx = house.store.db.write().await.unwrap();
    let buried = queue::bury_vanished(&mut tx, now).await.unwrap();
    tx.commit().await.unwrap();
    buried
}

#[tokio::test]
async fn a_job_that_kills_its_workers_becomes_a_dead_letter() {
    for_each_database(async |house| {
        let ctx = house.system(Id::generate(&*house.clock, &*house.entropy));
        enqueue(house, &ctx, "deadly", 3).await;
        for attempt in 1..=3 {
            assert!(bury(house, ctx.now()).await.is_empty(), "it has attempts left");
            let job = queue::claim(&house.store.db, ctx.now(), LEASE).await.unwrap().expect("it is tried again");
            assert_eq!(job.attempts, attempt);
            assert!(bury(house, ctx.now()).await.is_empty(), "its worker lives");
            house.clock.advance(LEASE * 2);
        }
        assert!(queue::claim(&house.store.db, ctx.now(), LEASE).await.unwrap().is_none(), "not a fourth time");
        let buried = bury(house, ctx.now()).await;
        assert_eq!((buried.len(), buried[0].kind.as_str(), buried[0].account()), (1, "deadly", ctx.account));
        assert!(bury(house, ctx.now()).await.is_empty(), "once");

        let mut tx = house.store.db.write().await.unwrap();
        let dead = queue::dead(&mut tx, 10).await.unwrap();
        assert_eq!(dead[0].last_error.as_deref(), Some("the worker vanished in attempt 3, the last one"));
        let id = Id::<kind::Job>::from_uuid(dead[0].job_id);
        assert!(!queue::drop_dead(&mut tx, Id::generate(&*house.clock, &*house.entropy)).await.unwrap());
        assert_eq!(queue::count_dead(&mut tx).await.unwrap(), 1);
        assert!(queue::drop_dead(&mut tx, id).await.unwrap());
        assert_eq!(queue::count_dead(&mut tx).await.unwrap(), 0);
    })
    .await;
}

#[tokio::test]
async fn one_account_cannot_take_all_workers() {
    for_each_database(async |house| {
        let [busy, other] = [(); 2].map(|()| house.system(Id::generate(&*house.clock, &*house.entropy)));
        for kind in ["send.1", "send.2", "send.3"] {
            enqueue(house, &busy, kind, 3).await;
        }
        house.clock.advance(Duration::from_secs(1));
        enqueue(house, &other, "late", 3).await;
        let terms = Terms { per_account: 2, ..Terms::ANY };
        let claim = async |terms| queue::claim_on(&house.store.db, busy.now(), LEASE, terms).await.unwrap();
        let mut taken = Vec::new();
        for _ in 0..3 {
            taken.push(claim(terms).await.unwrap());
        }
        let of = |account: &Ctx| taken.iter().filter(|job| job.account() == account.account).count();
        assert_eq!((of(&busy), of(&other)), (2, 1), "the other account does not wait behind the third job");
        assert!(claim(terms).await.is_none());
        // Positive control: there was a job to take.
        assert_eq!(claim(Terms::ANY).await.unwrap().account(), busy.account);
    })
    .await;
}

#[tokio::test]
async fn a_worker_leaves_the_kind_that_it_does_not_take() {
    for_each_database(async |house| {
        let ctx = house.system(Id::NIL);
        enqueue(house, &ctx, "long", 3).await;
        house.clock.advance(Duration::from_secs(1));
        enqueue(house, &ctx, "short", 3).await;
        let claim = async |terms| queue::claim_on(&house.store.db, ctx.now(), LEASE, terms).await.unwrap();
        let without = Terms { without: "long", ..Terms::ANY };
        assert_eq!(claim(without).await.unwrap().kind, "short");
        assert!(claim(without).await.is_none());
        assert_eq!(claim(Terms::ANY).await.unwrap().kind, "long");
    })
    .await;
}

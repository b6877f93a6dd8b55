//! An account's key is replaced while a campaign is on its way.

use std::sync::mpsc;
use std::time::Duration;

use letterkeep_audience::Permission;
use letterkeep_delivery::report;
use letterkeep_store::queue::Outcome;
use letterkeep_store::rotation::{self, Progress};
use letterkeep_testkit::for_each_database;

use crate::house::{Story, story, sum};

/// Carries a rotation to its end; the clock jumps over its waiting times. Yields how many records were sealed anew.
async fn rotate(story: &Story<'_>) -> u64 {
    for _ in 0..10 {
        match rotation::advance(&story.ctx, &story.house.store, story.ctx.account).await.unwrap() {
            Progress::Waiting(until, _) => story.house.clock.set(until),
            Progress::Done(resealed) => return resealed,
        }
    }
    panic!("the rotation must end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whoever_waits_while_the_key_is_replaced_gets_the_message_too() {
    for_each_database(async |house| {
        let mut story = story(house, 1, 0).await;
        // More than the workers open ahead of the connection.
        let cores = std::thread::available_parallelism().map_or(2, usize::from).clamp(1, 16);
        let names: Vec<String> = (0..200 * (cores + 1)).map(|number| format!("reader-{number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        story.contacts(&names, Permission::Explicit, false).await;
        // The youngest comes last; it is refused, after the change: what the server said is sealed.
        house.clock.advance(Duration::from_secs(1));
        let refused = story.contacts(&["unknown"], Permission::Explicit, false).await[0];
        let activity = story.launch().await;
        let ((begun, has_begun), (go_on, may_go_on)) = (mpsc::channel(), mpsc::channel::<()>());
        story.on_take.set(move |number| {
            if number == 1 {
                begun.send(()).unwrap();
                may_go_on.recv().unwrap();
            }
            None
        });
        let (outcome, ()) = tokio::join!(Box::pin(crate::run(&story, activity)), async {
            tokio::task::spawn_blocking(move || has_begun.recv().unwrap()).await.unwrap();
            assert!(rotate(&story).await >= names.len() as u64);
            go_on.send(()).unwrap();
        });
        // The rotation took longer than the worker stays.
        assert_eq!(outcome, Outcome::Again(story.ctx.now()));
        assert_eq!(crate::run(&story, activity).await, Outcome::Done);
        let found = story.report(activity).await;
        assert_eq!((found.accepted, found.bounces), (names.len() as i64, 1), "{found:?}");
        assert_eq!((found.recipients, sum(&found)), (names.len() as i64 + 1, names.len() as i64 + 1));

        // What the server said opens under the new key, and not under the old one, which is deleted.
        let words = async |keyring| {
            let mut tx = house.store.db.read().await.unwrap();
            let found = report::last_words(&story.ctx, &mut tx, keyring, activity, &[refused]).await.unwrap();
            found[&refused].clone()
        };
        let keyring = house.store.keys.keyring(story.ctx.account).await.unwrap();
        assert_eq!((keyring.version(), keyring.versions().count()), (2, 1));
        assert!(words(&keyring).await.unwrap().contains("no such user"));
        assert_eq!(words(&story.keyring).await, None);
        story.keyring = keyring;

        // Nothing was left behind that stops the next one.
        house.clock.advance(Duration::from_hours(1));
        rotate(&story).await;
    })
    .await;
}

//! An address that does not exist is suppressed, and the audit log says so without saying the address.

use letterkeep_audience::Permission;
use letterkeep_model::{Id, kind};
use letterkeep_store::audit::{self, Chain};
use letterkeep_testkit::for_each_database;

use crate::house::story;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_suppressed_stands_in_the_audit_log() {
    for_each_database(async |house| {
        let story = story(house, 1, 0).await;
        let mut gone = story.contacts(&["unknown-1", "unknown-2", "unknown-3"], Permission::Explicit, false).await;
        story.contacts(&["reader"], Permission::Explicit, false).await;
        let activity = story.launch().await;
        crate::run(&story, activity).await;
        assert_eq!(story.report(activity).await.bounces, 3);

        let mut tx = house.store.db.read().await.unwrap();
        let entries = audit::page(&mut tx, story.ctx.account, i64::MAX, 200).await.unwrap();
        let (mut count, mut named) = (0, Vec::new());
        for entry in entries.iter().filter(|entry| entry.action == "suppression.add") {
            assert_eq!(entry.object, activity.to_string());
            assert!(!entry.detail.contains('@') && !entry.detail.contains("unknown"), "{}", entry.detail);
            let detail: serde_json::Value = serde_json::from_str(&entry.detail).unwrap();
            assert_eq!(detail["reason"], "hard_bounce");
            count += detail["count"].as_i64().unwrap();
            let contacts = detail["contacts"].as_array().unwrap().iter();
            named.extend(contacts.map(|contact| contact.as_str().unwrap().parse::<Id<kind::Contact>>().unwrap()));
        }
        named.sort_unstable();
        gone.sort_unstable();
        assert_eq!((count, named), (3, gone));
        assert!(matches!(audit::verify(&mut tx, story.ctx.account).await.unwrap(), Chain::Whole(_)));
        drop(tx);

        // The next sending finds them suppressed: nothing changes, and nothing is written about it.
        let again = story.launch().await;
        crate::run(&story, again).await;
        assert_eq!(story.report(again).await.skipped_by_reason["suppressed"], 3);
        let mut tx = house.store.db.read().await.unwrap();
        let later = audit::page(&mut tx, story.ctx.account, i64::MAX, 200).await.unwrap();
        let added = |rows: &[audit::AuditRow]| rows.iter().filter(|row| row.action == "suppression.add").count();
        assert_eq!(added(&later), added(&entries));
    })
    .await;
}

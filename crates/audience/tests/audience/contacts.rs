use std::time::Duration;

use letterkeep_audience::contact::{self, CreateError, Cursor, Filter, NewRecord, UpdateError};
use letterkeep_audience::permission::Source;
use letterkeep_audience::{ContactRecord, Permission};
use letterkeep_model::{Id, kind};
use letterkeep_testkit::for_each_database;

use crate::Desk;

#[tokio::test]
async fn an_address_is_found_however_it_is_spelt_and_taken_once() {
    for_each_database(async |house| {
        let desk = Desk::of(house).await;
        let other = Desk::of(house).await;
        let id = desk.contact("Ada.Byron@Example.org").await;
        let mut tx = house.store.db.read().await.unwrap();
        let find = async |desk: &Desk<'_>, tx: &mut _, email: &str| {
            contact::find_by_email(&desk.ctx, tx, &desk.keyring, &email.parse().unwrap()).await.unwrap().map(|c| c.id)
        };
        assert_eq!(find(&desk, &mut tx, "ada.byron@EXAMPLE.ORG").await, Some(id));
        assert_eq!(find(&desk, &mut tx, "ada@example.org").await, None);
        assert_eq!(find(&other, &mut tx, "Ada.Byron@Example.org").await, None, "another account sees nothing");
        drop(tx);

        let record = ContactRecord::new("ADA.BYRON@example.org".parse().unwrap());
        let new = NewRecord { record, permission: Permission::NotSet, source: Source::Manual, evidence: None };
        let mut tx = house.store.db.write().await.unwrap();
        let refused = contact::create(&desk.ctx, &mut tx, &desk.keyring, &new).await;
        assert!(matches!(refused, Err(CreateError::Duplicate(found)) if found == id));
        contact::create(&other.ctx, &mut tx, &other.keyring, &new).await.expect("another account may have it");
        tx.commit().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn of_two_edits_the_second_is_told() {
    for_each_database(async |house| {
        let desk = Desk::of(house).await;
        let id = desk.contact("a@example.org").await;
        let taken = desk.contact("taken@example.org").await;
        let update = async |revision, email: &str, name: &str| {
            let mut record = ContactRecord::new(email.parse().unwrap());
            record.first_name = name.into();
            let mut tx = house.store.db.write().await.unwrap();
            let done = contact::update(&desk.ctx, &mut tx, &desk.keyring, id, revision, &record).await;
            if done.is_ok() {
                tx.commit().await.unwrap();
            }
            done
        };
        assert_eq!(update(1, "a@example.org", "Ada").await.unwrap(), 2);
        assert!(matches!(update(1, "a@example.org", "Eve").await, Err(UpdateError::Stale { edited: 1, found: 2 })));
        assert!(matches!(update(2, "Taken@example.org", "Ada").await, Err(UpdateError::Duplicate(by)) if by == taken));
        assert_eq!(desk.find(id).await.record.first_name, "Ada");
        // A new address: found under it, no longer under the old one.
        assert_eq!(update(2, "b@example.org", "Ada").await.unwrap(), 3);
        let mut tx = house.store.db.read().await.unwrap();
        let old = "a@example.org".parse().unwrap();
        assert!(contact::find_by_email(&desk.ctx, &mut tx, &desk.keyring, &old).await.unwrap().is_none());
        let new = "B@example.org".parse().unwrap();
        let found = contact::find_by_email(&desk.ctx, &mut tx, &desk.keyring, &new).await.unwrap();
        assert_eq!(found.unwrap().id, id);
    })
    .await;
}

#[tokio::test]
async fn a_masked_contact_shows_nobody() {
    for_each_database(async |house| {
        let desk = Desk::of(house).await;
        let mut record = ContactRecord::new("grace.hopper@navy.example.org".parse().unwrap());
        record.first_name = "Grace".into();
        let id = desk.create(record, Permission::Explicit).await;
        let masked = desk.find(id).await.masked();
        assert_eq!(masked.email, "g•••@•••.org");
        let shown = format!("{masked:?}");
        assert!(!shown.contains("race") && !shown.contains("navy"), "{shown}");
    })
    .await;
}

#[tokio::test]
async fn pages_show_every_contact_once_while_others_come_and_go() {
    for_each_database(async |house| {
        let desk = Desk::of(house).await;
        let mut made = Vec::new();
        for number in 0..120 {
            house.clock.advance(Duration::from_millis(1));
            made.push(desk.contact(&format!("c{number}@example.org")).await);
        }
        let page = async |cursor| {
            let mut tx = house.store.db.read().await.unwrap();
            contact::page(&desk.ctx, &mut tx, &desk.keyring, &Filter::default(), cursor).await.unwrap()
        };
        let ids = |page: &contact::ContactPage| page.contacts.iter().map(|contact| contact.id).collect::<Vec<_>>();
        let first = page(Cursor::Newest).await;
        assert_eq!((first.contacts.len(), first.before), (50, None));
        // One comes, one that was shown and one that was not yet shown go.
        house.clock.advance(Duration::from_millis(1));
        let newest = desk.contact("late@example.org").await;
        desk.write(async |tx| contact::delete(&desk.ctx, tx, &[made[119], made[60]]).await.unwrap()).await;
        let second = page(Cursor::After(first.after.unwrap())).await;
        let third = page(Cursor::After(second.after.unwrap())).await;
        assert_eq!(third.after, None);
        let mut seen = [ids(&first), ids(&second), ids(&third)].concat();
        let count = seen.len();
        let expected = made.iter().rev().filter(|id| **id != made[60]).copied().collect::<Vec<_>>();
        assert_eq!(seen, expected);
        seen.dedup();
        assert_eq!(seen.len(), count);
        // And back again.
        let back = page(Cursor::Before(third.before.unwrap())).await;
        assert_eq!(ids(&back), ids(&second));
        let front = page(Cursor::Before(back.before.unwrap())).await;
        let mut expected = ids(&first);
        expected[0] = newest;
        assert_eq!(ids(&front), expected, "the newest took the place of the one that went");
    })
    .await;
}

#[tokio::test]
async fn counting_follows_every_change() {
    for_each_database(async |house| {
        let desk = Desk::of(house).await;
        let a = desk.contact("a@example.org").await;
        desk.contact("b@example.org").await;
        desk.create(ContactRecord::new("c@example.org".parse().unwrap()), Permission::NotSet).await;
        let count = async || {
            let mut tx = house.store.db.read().await.unwrap();
            let counts = contact::count(&desk.ctx, &mut tx).await.unwrap();
            (counts.total(), counts.may_send())
        };
        assert_eq!(count().await, (3, 2));
        desk.write(async |tx| contact::delete(&desk.ctx, tx, &[a, Id::<kind::Contact>::NIL]).await.unwrap()).await;
        assert_eq!(count().await, (2, 1));
    })
    .await;
}

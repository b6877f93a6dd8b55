use letterkeep_audience::contact::{self, NewRecord};
use letterkeep_audience::permission::{self, Evidence, SetError, Source};
use letterkeep_audience::suppression::{self, LiftReason};
use letterkeep_audience::{ContactRecord, Permission, SuppressionReason, TrackingConsent};
use letterkeep_testkit::for_each_database;

use crate::Desk;

#[tokio::test]
async fn a_no_stays_until_a_new_yes_with_evidence() {
    for_each_database(async |house| {
        let desk = Desk::of(house).await;
        let id = desk.contact("a@example.org").await;
        let email = "a@example.org".parse().unwrap();
        let set = async |after, source, evidence: Option<&Evidence>| {
            desk.write(async |tx| permission::set(&desk.ctx, tx, &desk.keyring, id, after, source, evidence).await)
                .await
        };
        let suppressed = async || {
            let mut tx = house.store.db.read().await.unwrap();
            suppression::check(&desk.ctx, &mut tx, &desk.keyring, &email).await.unwrap().map(|found| found.reason)
        };
        let public = house.public().as_system(desk.ctx.account);
        let leave = async || {
            desk.write(async |tx| {
                permission::unsubscribe(&public, tx, &desk.keyring, id, Source::OneClick, None).await.unwrap()
            })
            .await
        };
        assert!(desk.find(id).await.permission.may_send());
        assert!(leave().await);
        assert!(!leave().await, "doing it again changes nothing");
        assert_eq!(suppressed().await, Some(SuppressionReason::Unsubscribed));

        let evidence = Evidence::note("signed form of 2026-11-20");
        for (after, source, evidence) in [
            (Permission::Implicit, Source::Manual, Some(&evidence)),
            (Permission::Explicit, Source::Manual, None),
            (Permission::Explicit, Source::Manual, Some(&Evidence::note("  "))),
            (Permission::Explicit, Source::Import, Some(&evidence)),
            (Permission::NotSet, Source::Api, None),
        ] {
            assert!(matches!(set(after, source, evidence).await, Err(SetError::SaidNo)), "{after:?} {source:?}");
        }
        assert_eq!(desk.find(id).await.permission, Permission::Unsubscribed);
        assert!(set(Permission::Explicit, Source::Form, Some(&evidence)).await.unwrap());
        assert_eq!(desk.find(id).await.permission, Permission::Explicit);
        assert_eq!(suppressed().await, None);

        let mut tx = house.store.db.read().await.unwrap();
        let history = permission::history(&desk.ctx, &mut tx, &desk.keyring, id).await.unwrap();
        let mut steps = history.iter().map(|step| (&step.before[..], &step.after[..])).collect::<Vec<_>>();
        steps.sort_unstable();
        assert_eq!(steps, [("implicit", "unsubscribed"), ("not_set", "implicit"), ("unsubscribed", "explicit")]);
        let renewed = history.iter().find(|step| step.after == "explicit").unwrap();
        assert_eq!(renewed.evidence.as_ref().unwrap().note, evidence.note);
        assert_eq!(renewed.actor, desk.ctx.user().unwrap().to_string());
    })
    .await;
}

#[tokio::test]
async fn deleting_and_creating_again_does_not_forget_the_no() {
    for_each_database(async |house| {
        let desk = Desk::of(house).await;
        let id = desk.contact("a@example.org").await;
        desk.write(async |tx| {
            permission::unsubscribe(&desk.ctx, tx, &desk.keyring, id, Source::Page, None).await.unwrap();
            assert_eq!(contact::delete(&desk.ctx, tx, &[id]).await.unwrap(), 1);
        })
        .await;
        let again = desk.create(ContactRecord::new("A@example.org".parse().unwrap()), Permission::Explicit).await;
        assert_eq!(desk.find(again).await.permission, Permission::Unsubscribed);
        desk.write(async |tx| contact::delete(&desk.ctx, tx, &[again]).await.unwrap()).await;
        // A new yes with evidence is believed.
        let new = NewRecord {
            record: ContactRecord::new("a@example.org".parse().unwrap()),
            permission: Permission::Explicit,
            source: Source::Form,
            evidence: Some(Evidence::note("form 3")),
        };
        let third = desk.write(async |tx| contact::create(&desk.ctx, tx, &desk.keyring, &new).await.unwrap()).await;
        let mut tx = house.store.db.read().await.unwrap();
        let opened = contact::open_batch(&desk.ctx, &mut tx, &desk.keyring, &[again, third]).await.unwrap();
        assert_eq!(opened.len(), 1, "what was deleted is left out");
        assert!(opened[0].may_send());
    })
    .await;
}

#[tokio::test]
async fn a_bounce_outweighs_a_new_yes_and_only_a_person_lifts_it() {
    for_each_database(async |house| {
        let desk = Desk::of(house).await;
        let id = desk.contact("a@example.org").await;
        let email = "a@example.org".parse().unwrap();
        desk.write(async |tx| {
            let add = async |tx: &mut _, reason| {
                suppression::add_contact(&desk.ctx, tx, id, reason, Source::Api).await.unwrap()
            };
            assert!(add(tx, SuppressionReason::Unsubscribed).await);
            assert!(add(tx, SuppressionReason::HardBounce).await);
            assert!(!add(tx, SuppressionReason::Unsubscribed).await, "the stronger reason stays");
            let evidence = Evidence::note("asked again");
            let yes = Permission::Explicit;
            permission::set(&desk.ctx, tx, &desk.keyring, id, yes, Source::Form, Some(&evidence)).await.unwrap();
        })
        .await;
        let batch = async || {
            let mut tx = house.store.db.read().await.unwrap();
            contact::open_batch(&desk.ctx, &mut tx, &desk.keyring, &[id]).await.unwrap().remove(0)
        };
        assert_eq!(batch().await.suppressed, Some(SuppressionReason::HardBounce));
        assert!(!batch().await.may_send());
        desk.write(async |tx| {
            let why = LiftReason::WorksAgain;
            assert!(suppression::remove(&desk.ctx, tx, &desk.keyring, &email, why).await.unwrap());
            assert!(!suppression::remove(&desk.ctx, tx, &desk.keyring, &email, why).await.unwrap());
        })
        .await;
        assert!(batch().await.may_send());
    })
    .await;
}

#[tokio::test]
async fn tracking_needs_a_yes_and_a_withdrawal_stays() {
    for_each_database(async |house| {
        let desk = Desk::of(house).await;
        let id = desk.contact("a@example.org").await;
        assert!(!desk.find(id).await.tracking.may_track());
        let set = async |after, evidence: Option<&Evidence>| {
            desk.write(async |tx| {
                permission::set_tracking(&desk.ctx, tx, &desk.keyring, id, after, Source::Page, evidence).await
            })
            .await
        };
        assert!(set(TrackingConsent::Given, None).await.unwrap());
        assert!(desk.find(id).await.tracking.may_track());
        assert!(set(TrackingConsent::Withdrawn, None).await.unwrap());
        assert!(matches!(set(TrackingConsent::Given, None).await, Err(SetError::SaidNo)));
        assert!(matches!(set(TrackingConsent::NotSet, None).await, Err(SetError::SaidNo)));
        assert!(set(TrackingConsent::Given, Some(&Evidence::note("box ticked"))).await.unwrap());
    })
    .await;
}

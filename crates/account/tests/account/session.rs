use std::time::Duration;

use letterkeep_account::log_in::{self, FactorError};
use letterkeep_account::{Passwords, factor, session, user};
use letterkeep_model::{Clock as _, Locale, Role};
use letterkeep_testkit::{TestHouse, for_each_database};
use letterkeep_vault::Token;

use crate::fixture::*;

#[tokio::test]
async fn sessions_end_when_idle_and_in_any_case_after_a_fortnight() {
    for_each_database(async |house| {
        let (ctx, passwords) = (house.public(), passwords());
        let person = sign_up(house, &passwords, "erika").await;
        house.clock.advance(Duration::from_mins(59));
        let used = look_up(house, &person.session).await.unwrap();
        assert!(used.touch_due(house.clock.now()));
        session::touch(&ctx, &house.store, &used).await.unwrap();
        house.clock.advance(Duration::from_mins(59));
        let used = look_up(house, &person.session).await.expect("use keeps it alive");
        session::touch(&ctx, &house.store, &used).await.unwrap();
        assert!(!look_up(house, &person.session).await.unwrap().touch_due(house.clock.now()), "once a minute");
        house.clock.advance(Duration::from_hours(1));
        assert!(look_up(house, &person.session).await.is_none(), "idle");

        let busy = person.log_in(house, &passwords, &browser(HOME, None)).await.session;
        let end = house.clock.now().plus(session::ABSOLUTE);
        let mut uses = 0;
        while let Some(used) = look_up(house, &busy).await {
            session::touch(&ctx, &house.store, &used).await.unwrap();
            house.clock.advance(Duration::from_mins(50));
            uses += 1;
        }
        assert!(uses > 14 * 24 && house.clock.now() >= end && house.clock.now().since(end) <= Duration::from_mins(50));
    })
    .await;
}

#[tokio::test]
async fn listed_revoked_and_all_others_ended() {
    for_each_database(async |house| {
        let passwords = passwords();
        let person = sign_up(house, &passwords, "erika").await;
        let second = person.log_in(house, &passwords, &browser(AWAY, None)).await.session;
        let third = person.log_in(house, &passwords, &browser(AWAY, None)).await.session;
        let half = person.authenticate(house, &passwords, &browser(AWAY, None)).await.unwrap();
        let own = person.ctx(house).await;
        let stranger = sign_up(house, &passwords, "otto").await;

        let mut tx = house.store.db.write().await.unwrap();
        let listed = session::list(&own, &mut tx, person.user).await.unwrap();
        assert_eq!(listed.len(), 3);
        assert!(listed.iter().all(|session| session.client == "Firefox on Linux"));
        let target = session::find(&own, &mut tx, &second).await.unwrap().unwrap().id;
        let foreign = stranger.ctx(house).await;
        let kept = session::find(&own, &mut tx, &person.session).await.unwrap().unwrap();
        let theirs = session::find(&own, &mut tx, &stranger.session).await.unwrap().unwrap();
        assert!(!session::revoke(&foreign, &mut tx, &theirs, target).await.unwrap(), "not another's session");
        assert!(session::revoke(&own, &mut tx, &kept, target).await.unwrap());
        tx.commit().await.unwrap();
        assert!(look_up(house, &second).await.is_none());
        assert!(look_up(house, &third).await.is_some());

        let mut tx = house.store.db.write().await.unwrap();
        assert_eq!(session::revoke_others(&own, &mut tx, &kept).await.unwrap(), 2);
        tx.commit().await.unwrap();
        assert!(look_up(house, &third).await.is_none() && look_up(house, &half).await.is_none());
        assert!(look_up(house, &person.session).await.is_some() && look_up(house, &stranger.session).await.is_some());
    })
    .await;
}

/// Whether a log-in with this cookie counts as one from a known browser.
async fn is_known(house: &TestHouse, passwords: &Passwords, person: &Person, device: &Token) -> bool {
    let half = person.authenticate(house, passwords, &browser(AWAY, Some(device))).await.unwrap();
    look_up(house, &half).await.unwrap().device.is_some()
}

#[tokio::test]
async fn a_browser_whose_session_was_ended_from_elsewhere_is_not_known_any_more() {
    for_each_database(async |house| {
        let passwords = passwords();
        let person = sign_up(house, &passwords, "erika").await;
        let own = person.ctx(house).await;
        let kept = look_up(house, &person.session).await.unwrap();
        let laptop = person.log_in(house, &passwords, &browser(AWAY, None)).await;
        let phone = person.log_in(house, &passwords, &browser(AWAY, None)).await;
        // The same browser once more: its session may be ended without forgetting where the reader sits.
        let again = person.log_in(house, &passwords, &browser(HOME, Some(&person.device))).await;
        let (laptop_id, again_id) =
            (look_up(house, &laptop.session).await.unwrap().id, look_up(house, &again.session).await.unwrap().id);
        assert!(is_known(house, &passwords, &person, &laptop.device).await);

        let mut tx = house.store.db.write().await.unwrap();
        session::revoke(&own, &mut tx, &kept, laptop_id).await.unwrap();
        session::revoke(&own, &mut tx, &kept, again_id).await.unwrap();
        tx.commit().await.unwrap();
        assert!(!is_known(house, &passwords, &person, &laptop.device).await);
        assert!(is_known(house, &passwords, &person, &phone.device).await);
        assert!(is_known(house, &passwords, &person, &again.device).await);

        let mut tx = house.store.db.write().await.unwrap();
        session::revoke_others(&own, &mut tx, &kept).await.unwrap();
        tx.commit().await.unwrap();
        assert!(!is_known(house, &passwords, &person, &phone.device).await);
        assert!(is_known(house, &passwords, &person, &again.device).await);
    })
    .await;
}

#[tokio::test]
async fn known_browsers_are_listed_and_forgotten_one_by_one() {
    for_each_database(async |house| {
        let passwords = passwords();
        let person = sign_up(house, &passwords, "erika").await;
        let stranger = sign_up(house, &passwords, "otto").await;
        house.clock.advance(Duration::from_mins(1));
        let laptop = person.log_in(house, &passwords, &browser(AWAY, None)).await;
        let (own, foreign) = (person.ctx(house).await, stranger.ctx(house).await);
        let mut tx = house.store.db.write().await.unwrap();
        let known = session::known_browsers(&own, &mut tx, person.user).await.unwrap();
        assert_eq!(known.len(), 2);
        assert!(known[0].seen_at > known[1].seen_at && known[0].client == "Firefox on Linux");
        for (ctx, user) in [(&foreign, stranger.user), (&foreign, person.user), (&own, stranger.user)] {
            assert!(!session::forget_browser(ctx, &mut tx, user, known[0].id).await.unwrap(), "not another's");
        }
        assert!(session::forget_browser(&own, &mut tx, person.user, known[0].id).await.unwrap());
        assert!(!session::forget_browser(&own, &mut tx, person.user, known[0].id).await.unwrap());
        tx.commit().await.unwrap();
        assert!(!is_known(house, &passwords, &person, &laptop.device).await);
        assert!(is_known(house, &passwords, &person, &person.device).await);
        // Its session goes on, as one of an unknown browser.
        assert_eq!(look_up(house, &laptop.session).await.unwrap().device, None);
    })
    .await;
}

#[tokio::test]
async fn role_and_state_hold_from_the_next_request_on() {
    for_each_database(async |house| {
        let passwords = passwords();
        let person = sign_up(house, &passwords, "erika").await;
        let ctx = house.system(person.account);
        let mut tx = house.store.db.write().await.unwrap();
        letterkeep_store::user::set_role(&mut tx, person.account, person.user, "viewer", 0).await.unwrap();
        let own = person.ctx(house).await;
        user::change_locale(&own, &mut tx, Locale::En).await.unwrap();
        tx.commit().await.unwrap();
        let session = look_up(house, &person.session).await.unwrap();
        assert_eq!((session.role, session.locale), (Role::Viewer, Locale::En));
        // Even a state that somebody wrote past us, without ending the sessions, holds at once.
        for (from, to, counts) in [("active", "disabled", false), ("disabled", "active", true)] {
            let mut tx = house.store.db.write().await.unwrap();
            letterkeep_store::user::set_state(&mut tx, person.account, person.user, from, to, 0).await.unwrap();
            tx.commit().await.unwrap();
            assert_eq!(look_up(house, &person.session).await.is_some(), counts, "{to}");
        }

        let half = person.authenticate(house, &passwords, &browser(HOME, Some(&person.device))).await.unwrap();
        let mut tx = house.store.db.write().await.unwrap();
        user::disable(&ctx, &mut tx, person.user).await.unwrap();
        tx.commit().await.unwrap();
        assert!(look_up(house, &person.session).await.is_none());
        let late = person.prove(house, &browser(HOME, None), &half).await;
        assert!(matches!(late, Err(FactorError::NoSession)), "a log-in half done ends too");
    })
    .await;
}

#[tokio::test]
async fn a_new_password_ends_other_sessions_and_browsers() {
    for_each_database(async |house| {
        let (ctx, store, passwords) = (house.public(), &house.store, passwords());
        let person = sign_up(house, &passwords, "erika").await;
        let elsewhere = person.log_in(house, &passwords, &browser(AWAY, None)).await;
        let client = browser(HOME, Some(&person.device));
        let change = async |current: &str, new: &str| {
            let (current, new) = (password(current), password(new));
            user::change_password(&ctx, store, &passwords, &client, &person.session, &current, &new).await
        };
        let new = "neun rote Drachen überm Deich";
        assert!(matches!(change("not the present one", new).await, Err(user::ChangePasswordError::Refused)));
        assert!(matches!(change(PASSWORD, "Sommer2026!!").await, Err(user::ChangePasswordError::Password(_))));
        assert!(look_up(house, &person.session).await.is_some(), "nothing has changed so far");
        let renewed = change(PASSWORD, new).await.unwrap();
        assert!(look_up(house, &person.session).await.is_none(), "the session has a new id");
        assert!(look_up(house, &elsewhere.session).await.is_none());
        assert!(look_up(house, &renewed).await.is_some());
        assert!(person.authenticate(house, &passwords, &client).await.is_err(), "the old password");
        let client = browser(HOME, Some(&person.device));
        let token = log_in::authenticate(&ctx, store, &passwords, &client, "erika", &password(new)).await.unwrap();
        assert!(look_up(house, &token).await.unwrap().device.is_some(), "this browser is still known");
        let client = browser(AWAY, Some(&elsewhere.device));
        let token = log_in::authenticate(&ctx, store, &passwords, &client, "erika", &password(new)).await.unwrap();
        assert!(look_up(house, &token).await.unwrap().device.is_none(), "the others are not");
        // The address was sealed anew with the hash and still opens.
        let keyring = store.keys.keyring(person.account).await.unwrap();
        let mut tx = store.db.read().await.unwrap();
        let people = user::list(&house.system(person.account), &mut tx, &keyring).await.unwrap();
        assert_eq!(people[0].email.as_ref().unwrap().as_str(), "erika@example.de");
    })
    .await;
}

#[tokio::test]
async fn a_factor_is_replaced_only_when_fresh_and_the_old_one_holds_until_then() {
    for_each_database(async |house| {
        let (ctx, store, passwords) = (house.public(), &house.store, passwords());
        let mut person = sign_up(house, &passwords, "erika").await;
        let client = browser(HOME, Some(&person.device));
        house.clock.advance(Duration::from_mins(6));
        let stale = look_up(house, &person.session).await.unwrap();
        assert!(matches!(factor::begin_replacement(&ctx, store, &stale).await, Err(FactorError::StepUpNeeded)));
        assert!(matches!(factor::renew_recovery_codes(&ctx, store, &stale).await, Err(FactorError::StepUpNeeded)));
        let code = next_code(house, &person.secret);
        let token = log_in::step_up(&ctx, store, &client, &person.session, &code).await.unwrap();
        assert!(look_up(house, &person.session).await.is_none(), "a new id");
        let replay = log_in::step_up(&ctx, store, &client, &token, &code).await;
        assert!(matches!(replay, Err(FactorError::Refused)), "the code counted once");
        let fresh = look_up(house, &token).await.unwrap();

        let setup = factor::begin_replacement(&ctx, store, &fresh).await.unwrap();
        let wrong = factor::finish_replacement(&ctx, store, &fresh, "1").await;
        assert!(matches!(wrong, Err(FactorError::Refused)));
        let elsewhere = person.log_in(house, &passwords, &browser(AWAY, None)).await;
        let code = next_code(house, &setup.secret);
        factor::finish_replacement(&ctx, store, &fresh, &code).await.unwrap();
        assert!(look_up(house, &elsewhere.session).await.is_none());
        assert!(!is_known(house, &passwords, &person, &elsewhere.device).await, "other browsers are forgotten");
        assert!(is_known(house, &passwords, &person, &person.device).await, "this one is not");
        let again = factor::finish_replacement(&ctx, store, &fresh, &code).await;
        assert!(matches!(again, Err(FactorError::Refused)), "nothing is pending any more");

        let half = person.authenticate(house, &passwords, &browser(AWAY, None)).await.unwrap();
        let old = person.prove(house, &browser(AWAY, None), &half).await;
        assert!(matches!(old, Err(FactorError::Refused)), "the old secret is void");
        person.secret = setup.secret;
        person.prove(house, &browser(AWAY, None), &half).await.unwrap();
        let codes = factor::renew_recovery_codes(&ctx, store, &fresh).await.unwrap();
        assert_eq!(codes.len(), 10);
    })
    .await;
}

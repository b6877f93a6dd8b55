use std::time::Duration;

use letterkeep_account::invitation::{self, Accept};
use letterkeep_account::organisation::{self, Organisation, OrganisationError};
use letterkeep_account::sign_up::{self, SignUpError};
use letterkeep_account::user::{self, UserError, UserState};
use letterkeep_account::{audit, sweep};
use letterkeep_model::{EmailAddress, Id, Locale, Role};
use letterkeep_store::audit::Chain;
use letterkeep_store::user as rows;
use letterkeep_testkit::{TestHouse, for_each_database};
use letterkeep_vault::Token;

use crate::fixture::*;

async fn invite(house: &TestHouse, owner: &Person, role: Role) -> Token {
    let own = owner.ctx(house).await;
    let keyring = house.store.keys.keyring(owner.account).await.unwrap();
    let email = EmailAddress::parse("otto@example.de").unwrap();
    let mut tx = house.store.db.write().await.unwrap();
    let invited = invitation::invite(&own, &mut tx, &keyring, role, Some(&email)).await.unwrap();
    let listed = invitation::list(&own, &mut tx, &keyring).await.unwrap();
    assert_eq!(listed.last().unwrap().email.as_ref(), Some(&email));
    tx.commit().await.unwrap();
    invited.token
}

async fn accept(house: &TestHouse, token: &Token, user_name: &str) -> Result<Person, SignUpError> {
    let form = Accept {
        user_name: user_name.into(),
        email: EmailAddress::parse("otto@example.de").unwrap(),
        password: password(PASSWORD),
        locale: Locale::En,
    };
    let client = browser(HOME, None);
    let started = invitation::accept(&house.public(), &house.store, &passwords(), &client, token, form).await?;
    Ok(finish(house, user_name, started).await)
}

#[tokio::test]
async fn an_invitation_brings_one_person_in_with_a_factor() {
    for_each_database(async |house| {
        let owner = sign_up(house, &passwords(), "erika").await;
        let token = invite(house, &owner, Role::CampaignCreator).await;
        let mut tx = house.store.db.read().await.unwrap();
        let seen = invitation::find(&house.public(), &mut tx, &token).await.unwrap().unwrap();
        assert_eq!((seen.organisation.as_str(), seen.role), ("Bäckerei Sonnenschein", Role::CampaignCreator));
        drop(tx);
        let person = accept(house, &token, "otto").await.unwrap();
        assert_eq!(person.account, owner.account);
        assert_eq!(look_up(house, &person.session).await.unwrap().role, Role::CampaignCreator);
        assert!(matches!(accept(house, &token, "third").await, Err(SignUpError::InvitationClosed)), "once");

        let late = invite(house, &owner, Role::Viewer).await;
        house.clock.advance(Duration::from_hours(7 * 24));
        assert!(matches!(accept(house, &late, "third").await, Err(SignUpError::InvitationClosed)), "seven days");

        let keyring = house.store.keys.keyring(owner.account).await.unwrap();
        let system = house.system(owner.account);
        let mut tx = house.store.db.read().await.unwrap();
        let people = user::list(&system, &mut tx, &keyring).await.unwrap();
        let people: Vec<_> = people.iter().map(|p| (p.user_name.as_str(), p.role, p.state)).collect();
        assert_eq!(
            people,
            [("erika", Role::Owner, UserState::Active), ("otto", Role::CampaignCreator, UserState::Active)]
        );
    })
    .await;
}

#[tokio::test]
async fn whoever_accepts_and_never_finishes_leaves_and_the_account_stays() {
    for_each_database(async |house| {
        let owner = sign_up(house, &passwords(), "erika").await;
        let token = invite(house, &owner, Role::Viewer).await;
        let form = Accept {
            user_name: "otto".into(),
            email: EmailAddress::parse("otto@example.de").unwrap(),
            password: password(PASSWORD),
            locale: Locale::En,
        };
        let client = browser(HOME, None);
        let begun = invitation::accept(&house.public(), &house.store, &passwords(), &client, &token, form).await;
        assert!(begun.is_ok());
        house.clock.advance(Duration::from_hours(25));
        sweep(&house.system(Id::NIL), &house.store).await.unwrap();
        let system = house.system(owner.account);
        let keyring = house.store.keys.keyring(owner.account).await.unwrap();
        let mut tx = house.store.db.read().await.unwrap();
        assert_eq!(user::list(&system, &mut tx, &keyring).await.unwrap().len(), 1);
        assert!(organisation::find(&system, &mut tx).await.unwrap().is_some());
    })
    .await;
}

#[tokio::test]
async fn an_account_always_keeps_an_owner() {
    for_each_database(async |house| {
        let owner = sign_up(house, &passwords(), "erika").await;
        let own = owner.ctx(house).await;
        let mut tx = house.store.db.write().await.unwrap();
        for role in [Role::Manager, Role::Viewer] {
            let refused = user::change_role(&own, &mut tx, owner.user, role).await;
            assert!(matches!(refused, Err(UserError::LastOwner)));
        }
        assert!(matches!(user::disable(&own, &mut tx, owner.user).await, Err(UserError::LastOwner)));
        user::change_role(&own, &mut tx, owner.user, Role::Owner).await.unwrap();
        drop(tx);

        let second = accept(house, &invite(house, &owner, Role::Manager).await, "otto").await.unwrap();
        let mut tx = house.store.db.write().await.unwrap();
        user::change_role(&own, &mut tx, second.user, Role::Owner).await.unwrap();
        tx.commit().await.unwrap();

        // Two owners remove each other at the same moment: one of them must fail.
        let demote = async |user| {
            let mut tx = house.store.db.write().await.unwrap();
            let outcome = user::change_role(&own, &mut tx, user, Role::Viewer).await;
            if outcome.is_ok() {
                tx.commit().await.unwrap();
            }
            outcome
        };
        // Connections that are open already, so that the two really meet.
        let db = &house.store.db;
        drop(tokio::join!(db.read(), db.read()));
        for _ in 0..5 {
            let (one, other) = tokio::join!(demote(owner.user), demote(second.user));
            assert!(one.is_ok() != other.is_ok(), "{one:?} {other:?} on {}", house.database);
            let mut tx = house.store.db.write().await.unwrap();
            for user in [owner.user, second.user] {
                letterkeep_store::user::set_role(&mut tx, owner.account, user, "owner", 0).await.unwrap();
            }
            tx.commit().await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn a_disabled_person_is_out_until_enabled_and_other_accounts_are_out_of_reach() {
    for_each_database(async |house| {
        let passwords = passwords();
        let owner = sign_up(house, &passwords, "erika").await;
        let person = accept(house, &invite(house, &owner, Role::Manager).await, "otto").await.unwrap();
        let stranger = sign_up(house, &passwords, "fritz").await;
        let (own, foreign) = (owner.ctx(house).await, stranger.ctx(house).await);
        let mut tx = house.store.db.write().await.unwrap();
        assert!(matches!(user::disable(&foreign, &mut tx, person.user).await, Err(UserError::NotFound)));
        assert!(matches!(
            user::change_role(&foreign, &mut tx, person.user, Role::Owner).await,
            Err(UserError::NotFound)
        ));
        user::disable(&own, &mut tx, person.user).await.unwrap();
        tx.commit().await.unwrap();
        let client = browser(HOME, None);
        assert!(look_up(house, &person.session).await.is_none());
        assert!(person.authenticate(house, &passwords, &client).await.is_err());
        let mut tx = house.store.db.write().await.unwrap();
        user::enable(&own, &mut tx, person.user).await.unwrap();
        tx.commit().await.unwrap();
        person.log_in(house, &passwords, &client).await;
    })
    .await;
}

#[tokio::test]
async fn invitations_end_with_the_right_of_who_made_them() {
    for_each_database(async |house| {
        let owner = sign_up(house, &passwords(), "erika").await;
        let own = owner.ctx(house).await;
        let second = accept(house, &invite(house, &owner, Role::Owner).await, "otto").await.unwrap();
        let kept = invite(house, &owner, Role::Viewer).await;

        // Demoted: what they made is gone, and being an owner again does not bring it back.
        let made = invite(house, &second, Role::Owner).await;
        for role in [Role::Manager, Role::Owner] {
            let mut tx = house.store.db.write().await.unwrap();
            user::change_role(&own, &mut tx, second.user, role).await.unwrap();
            tx.commit().await.unwrap();
            assert!(matches!(accept(house, &made, "spy").await, Err(SignUpError::InvitationClosed)), "{role}");
        }

        // Past the function that withdraws: the invitation stands in the table, and its maker does not count any more.
        let made = invite(house, &second, Role::Owner).await;
        for (role, state) in [("manager", "active"), ("owner", "disabled")] {
            let mut tx = house.store.db.write().await.unwrap();
            rows::set_role(&mut tx, owner.account, second.user, role, 0).await.unwrap();
            rows::set_state(&mut tx, owner.account, second.user, "active", state, 0).await.unwrap();
            assert!(invitation::find(&house.public(), &mut tx, &made).await.unwrap().is_none());
            tx.commit().await.unwrap();
            assert!(matches!(accept(house, &made, "spy").await, Err(SignUpError::InvitationClosed)), "{role} {state}");
        }

        let mut tx = house.store.db.write().await.unwrap();
        user::enable(&own, &mut tx, second.user).await.unwrap();
        user::disable(&own, &mut tx, second.user).await.unwrap();
        user::enable(&own, &mut tx, second.user).await.unwrap();
        tx.commit().await.unwrap();
        assert!(matches!(accept(house, &made, "spy").await, Err(SignUpError::InvitationClosed)), "withdrawn for good");
        // Positive control: the other owner's invitation was left alone.
        assert!(accept(house, &kept, "max").await.is_ok());
    })
    .await;
}

#[tokio::test]
async fn an_unfinished_sign_up_can_be_ended_by_the_owner() {
    for_each_database(async |house| {
        let passwords = passwords();
        let owner = sign_up(house, &passwords, "erika").await;
        let own = owner.ctx(house).await;
        for proven in [false, true] {
            let token = invite(house, &owner, Role::Manager).await;
            let (ctx, client) = (house.public(), browser(HOME, None));
            let form = Accept {
                user_name: "otto".into(),
                email: EmailAddress::parse("otto@example.de").unwrap(),
                password: password(PASSWORD),
                locale: Locale::En,
            };
            let begun = invitation::accept(&ctx, &house.store, &passwords, &client, &token, form).await.unwrap();
            let code = next_code(house, &begun.setup.secret);
            let mut session = begun.session;
            if proven {
                session = sign_up::prove_factor(&ctx, &house.store, &client, &session, &code).await.unwrap().session;
            }
            assert!(look_up(house, &session).await.is_some());
            let mut tx = house.store.db.write().await.unwrap();
            user::disable(&own, &mut tx, begun.user).await.unwrap();
            // There is nobody left who could be enabled without a factor.
            assert!(matches!(user::enable(&own, &mut tx, begun.user).await, Err(UserError::NotFound)));
            tx.commit().await.unwrap();
            assert!(look_up(house, &session).await.is_none());
            let late = sign_up::prove_factor(&ctx, &house.store, &client, &session, &code).await;
            assert!(late.is_err(), "the sign-up has ended");
            let keyring = house.store.keys.keyring(owner.account).await.unwrap();
            let mut tx = house.store.db.read().await.unwrap();
            assert_eq!(user::list(&own, &mut tx, &keyring).await.unwrap().len(), 1);
        }
        // The name is free again, and the owner's account unharmed.
        assert!(accept(house, &invite(house, &owner, Role::Viewer).await, "otto").await.is_ok());
    })
    .await;
}

#[tokio::test]
async fn the_organisation_is_changed_and_the_log_says_what() {
    for_each_database(async |house| {
        let owner = sign_up(house, &passwords(), "erika").await;
        let own = owner.ctx(house).await;
        let mut tx = house.store.db.write().await.unwrap();
        let mut wanted = organisation::find(&own, &mut tx).await.unwrap().unwrap();
        assert_eq!(wanted.time_zone, "Europe/Berlin");
        wanted.postal_address = "Bäckerei Sonnenschein\r\nAm Kanal 8\r\n12345 Musterstadt".into();
        wanted.locale = Locale::En;
        organisation::update(&own, &mut tx, wanted.clone()).await.unwrap();
        let bad = |change: fn(&mut Organisation)| {
            let mut bad = wanted.clone();
            change(&mut bad);
            bad
        };
        let refused = organisation::update(&own, &mut tx, bad(|o| o.name = " ".into())).await;
        assert!(matches!(refused, Err(OrganisationError::Name)));
        let refused = organisation::update(&own, &mut tx, bad(|o| o.postal_address = "x".repeat(501))).await;
        assert!(matches!(refused, Err(OrganisationError::PostalAddress)));
        let refused = organisation::update(&own, &mut tx, bad(|o| o.time_zone = "../etc/passwd".into())).await;
        assert!(matches!(refused, Err(OrganisationError::TimeZone)));
        let entries = audit::page(&own, &mut tx, None, 1).await.unwrap();
        assert_eq!(entries[0].detail, serde_json::json!({ "changed": ["postal_address", "locale"] }));
        assert_eq!(entries[0].actor, audit::AuditActor::User(owner.user));
        assert!(matches!(audit::verify(&own, &mut tx).await.unwrap(), Chain::Whole(4)));
    })
    .await;
}

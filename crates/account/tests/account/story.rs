use std::time::Duration;

use letterkeep_account::log_in::{self, FactorError, LogInError};
use letterkeep_account::sign_up::{self, SignUpError};
use letterkeep_account::{Breach, Stage, audit, session, sweep};
use letterkeep_testkit::for_each_database;
use letterkeep_vault::Token;

use crate::fixture::*;

#[tokio::test]
async fn from_sign_up_to_the_second_log_in() {
    for_each_database(async |house| {
        let (ctx, store, passwords, client) = (house.public(), &house.store, passwords(), browser(HOME, None));
        let started = sign_up::start(&ctx, store, &passwords, &client, form("Erika")).await.unwrap();
        let mut tokens: Vec<Token> = Vec::new();

        // Nothing can be used before the factor is proven.
        let setup = look_up(house, &started.session).await.unwrap();
        assert_eq!(setup.stage, Stage::FactorSetup);
        assert!(setup.enter(&ctx).is_none());
        let early = log_in::authenticate(&ctx, store, &passwords, &client, "erika", &password(PASSWORD)).await;
        assert!(matches!(early, Err(LogInError::Refused)));
        let skipped = sign_up::acknowledge_recovery_codes(&ctx, store, &client, &started.session).await;
        assert!(matches!(skipped, Err(FactorError::NoSession)));
        let skipped = log_in::prove_factor(&ctx, store, &client, &started.session, "000000").await;
        assert!(matches!(skipped, Err(FactorError::NoSession)));

        // The page can be loaded again and shows the same secret.
        let again = sign_up::setup(&ctx, store, &started.session).await.unwrap();
        assert_eq!(again.secret.as_bytes(), started.setup.secret.as_bytes());
        assert!(again.uri.starts_with("otpauth://totp/Letterkeep:Erika?"));

        let wrong = sign_up::prove_factor(&ctx, store, &client, &started.session, "12345").await;
        assert!(matches!(wrong, Err(FactorError::Refused)));
        let code = next_code(house, &started.setup.secret);
        let proven = sign_up::prove_factor(&ctx, store, &client, &started.session, &code).await.unwrap();
        tokens.push(started.session);
        assert_eq!(proven.codes.len(), 10);
        assert!(look_up(house, &proven.session).await.unwrap().enter(&ctx).is_none());
        let codes = sign_up::renew_recovery_codes(&ctx, store, &proven.session).await.unwrap();

        let done = sign_up::acknowledge_recovery_codes(&ctx, store, &client, &proven.session).await.unwrap();
        tokens.push(proven.session);
        assert_eq!(done.recovery_codes_left, 10);
        let full = look_up(house, &done.session).await.unwrap();
        let own = full.enter(&ctx).unwrap();
        assert_eq!((own.account, own.user()), (started.account, Some(started.user)));

        session::log_out(&ctx, store, &done.session).await.unwrap();
        assert!(look_up(house, &done.session).await.is_none());
        tokens.push(done.session);

        // Another spelling of the same name logs in.
        let token =
            log_in::authenticate(&ctx, store, &passwords, &client, " ERIKA ", &password(PASSWORD)).await.unwrap();
        let half = look_up(house, &token).await.unwrap();
        assert_eq!(half.stage, Stage::Factor);
        assert!(half.enter(&ctx).is_none());
        let first_set = proven.codes[0].text();
        let void = log_in::prove_factor(&ctx, store, &client, &token, &first_set).await;
        assert!(matches!(void, Err(FactorError::Refused)), "codes that were replaced are void");
        let back = log_in::prove_factor(&ctx, store, &client, &token, &codes[0].text()).await.unwrap();
        assert_eq!(back.recovery_codes_left, 9);
        tokens.push(token);

        // Every stage had a new id, and no old one opens anything.
        for token in &tokens {
            assert!(look_up(house, token).await.is_none());
        }

        let mut tx = store.db.read().await.unwrap();
        let entries = audit::page(&own, &mut tx, None, 100).await.unwrap();
        let actions: Vec<&str> = entries.iter().rev().map(|entry| entry.action.as_str()).collect();
        assert_eq!(
            actions,
            [
                "sign_up.start",
                "log_in.refuse",
                "factor.refuse",
                "sign_up.prove_factor",
                "recovery_codes.renew",
                "sign_up.complete",
                "log_out",
                "log_in.password",
                "factor.refuse",
                "log_in"
            ]
        );
        assert_eq!(audit::verify(&own, &mut tx).await.unwrap(), audit::Chain::Whole(10));
    })
    .await;
}

#[tokio::test]
async fn a_sign_up_that_breaks_rules_is_refused_and_leaves_nothing() {
    for_each_database(async |house| {
        let mut bad = form("Sonnenschein");
        bad.password = password("sonnenschein1");
        let client = browser(HOME, None);
        let refused = sign_up::start(&house.public(), &house.store, &passwords(), &client, bad).await;
        let Err(SignUpError::Password(error)) = refused else { panic!("must be refused") };
        assert!(error.breaches.contains(&Breach::ContextWord), "{error}");
        let mut bad = form("erika");
        bad.time_zone = "Europe/Atlantis".into();
        let refused = sign_up::start(&house.public(), &house.store, &passwords(), &client, bad).await;
        assert!(matches!(refused, Err(SignUpError::TimeZone)));
        let mut bad = form("erika");
        bad.organisation = "two\nlines".into();
        let refused = sign_up::start(&house.public(), &house.store, &passwords(), &client, bad).await;
        assert!(matches!(refused, Err(SignUpError::Organisation)));
        let accounts = house.store.keys.accounts(letterkeep_model::Id::NIL, 10).await.unwrap();
        assert!(accounts.is_empty(), "no keys are left behind");
        assert!(begin(house, "erika").await.is_ok(), "positive control");
    })
    .await;
}

#[tokio::test]
async fn a_name_is_taken_until_an_unfinished_sign_up_expires() {
    for_each_database(async |house| {
        let first = begin(house, "erika").await.unwrap();
        // Cyrillic е and і.
        assert!(matches!(begin(house, "еrіka").await, Err(SignUpError::UserNameTaken)));
        house.clock.advance(Duration::from_hours(23));
        assert!(matches!(begin(house, "erika").await, Err(SignUpError::UserNameTaken)));
        house.clock.advance(Duration::from_hours(2));
        let second = begin(house, "erika").await.unwrap();
        assert!(house.store.keys.keyring(first.account).await.is_err(), "its keys are gone");
        assert!(look_up(house, &first.session).await.is_none());
        let person = finish(house, "erika", second).await;

        house.clock.advance(Duration::from_hours(48));
        assert!(matches!(begin(house, "erika").await, Err(SignUpError::UserNameTaken)), "a finished one stays");
        // The hourly sweep removes the unfinished without anybody asking for the name.
        let third = begin(house, "otto").await.unwrap();
        house.clock.advance(Duration::from_hours(25));
        sweep(&house.system(letterkeep_model::Id::NIL), &house.store).await.unwrap();
        assert!(house.store.keys.keyring(third.account).await.is_err());
        person.log_in(house, &passwords(), &browser(HOME, None)).await;
    })
    .await;
}

#[tokio::test]
async fn of_two_who_want_the_same_name_at_once_one_gets_it() {
    for_each_database(async |house| {
        let (one, other) = tokio::join!(begin(house, "erika"), begin(house, "Erika"));
        let ((Ok(_), Err(refused)) | (Err(refused), Ok(_))) = (one, other) else {
            panic!("exactly one must get the name")
        };
        assert!(matches!(refused, SignUpError::UserNameTaken));
        assert_eq!(house.store.keys.accounts(letterkeep_model::Id::NIL, 10).await.unwrap().len(), 1);
    })
    .await;
}

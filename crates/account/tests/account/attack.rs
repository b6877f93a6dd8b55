use std::sync::atomic::Ordering;
use std::time::Duration;

use letterkeep_account::log_in::{self, FactorError, LogInError};
use letterkeep_account::{audit, user};
use letterkeep_model::Clock as _;
use letterkeep_store::{session as sessions, user as rows};
use letterkeep_testkit::{TestHouse, for_each_database};
use letterkeep_vault::{Token, recovery_codes};

use crate::fixture::*;

async fn guess(house: &TestHouse, name: &str, address: &str, device: Option<&Token>) -> Result<Token, LogInError> {
    let client = browser(address, device);
    let wrong = password("surely not this one");
    log_in::authenticate(&house.public(), &house.store, &passwords(), &client, name, &wrong).await
}

#[tokio::test]
async fn of_fifty_posts_of_one_code_exactly_one_succeeds() {
    for_each_database(async |house| {
        let passwords = passwords();
        let person = sign_up(house, &passwords, "erika").await;
        let client = browser(HOME, Some(&person.device));
        // Two half sessions, so that not the session but the code is what cannot be used twice.
        let one = person.authenticate(house, &passwords, &client).await.unwrap();
        let other = person.authenticate(house, &passwords, &client).await.unwrap();
        let code = next_code(house, &person.secret);
        let (ctx, store) = (house.public(), house.store.clone());
        let posts: Vec<_> = (0..50)
            .map(|number| {
                let (ctx, store, code) = (ctx.clone(), store.clone(), code.clone());
                let token = Token::parse(&if number % 2 == 0 { &one } else { &other }.text()).unwrap();
                let client = browser(HOME, Some(&person.device));
                tokio::spawn(async move { log_in::prove_factor(&ctx, &store, &client, &token, &code).await })
            })
            .collect();
        let mut succeeded = 0;
        for post in posts {
            match post.await.unwrap() {
                Ok(_) => succeeded += 1,
                Err(FactorError::Refused | FactorError::NoSession | FactorError::Throttled { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!(succeeded, 1, "{}", house.database);
    })
    .await;
}

#[tokio::test]
async fn one_statement_decides_which_of_fifty_uses_a_step() {
    for_each_database(async |house| {
        let person = sign_up(house, &passwords(), "erika").await;
        let (account, user) = (person.account, person.user);
        // Without the throttle in front: all fifty reach the statement.
        for step in [1_000_000_000, 1_000_000_001] {
            let posts: Vec<_> = (0..50)
                .map(|_| {
                    let db = house.store.db.clone();
                    tokio::spawn(async move {
                        let mut tx = db.write().await.unwrap();
                        let accepted = rows::accept_step(&mut tx, account, user, step).await.unwrap();
                        tx.commit().await.unwrap();
                        accepted
                    })
                })
                .collect();
            let mut accepted = 0;
            for post in posts {
                accepted += usize::from(post.await.unwrap());
            }
            assert_eq!(accepted, 1, "step {step} on {}", house.database);
        }
        let mut tx = house.store.db.write().await.unwrap();
        assert!(!rows::accept_step(&mut tx, account, user, 999_999_999).await.unwrap(), "an earlier step is void too");
    })
    .await;
}

#[tokio::test]
async fn a_recovery_code_counts_once() {
    for_each_database(async |house| {
        let passwords = passwords();
        let person = sign_up(house, &passwords, "erika").await;
        let client = browser(AWAY, None);
        let code = person.codes[3].text();
        let first = person.authenticate(house, &passwords, &client).await.unwrap();
        let second = person.authenticate(house, &passwords, &client).await.unwrap();
        let (ctx, store) = (house.public(), &house.store);
        let done = log_in::prove_factor(&ctx, store, &client, &first, &code.to_lowercase()).await.unwrap();
        assert_eq!(done.recovery_codes_left, 9);
        let again = log_in::prove_factor(&ctx, store, &client, &second, &code).await;
        assert!(matches!(again, Err(FactorError::Refused)));
        assert!(log_in::prove_factor(&ctx, store, &client, &second, &person.codes[4].text()).await.is_ok());
    })
    .await;
}

#[tokio::test]
async fn unknown_wrong_pending_and_disabled_get_one_answer_for_the_same_work() {
    for_each_database(async |house| {
        let (passwords, hasher) = counting();
        let owner = sign_up(house, &passwords, "erika").await;
        let gone = sign_up(house, &passwords, "otto").await;
        begin(house, "pending").await.unwrap();
        let mut tx = house.store.db.write().await.unwrap();
        rows::set_state(&mut tx, gone.account, gone.user, "active", "disabled", 0).await.unwrap();
        tx.commit().await.unwrap();
        let mut answers = Vec::new();
        for (name, text) in [
            ("nobody", PASSWORD),
            ("\u{0}", PASSWORD),
            ("erika", "surely not this one"),
            ("pending", PASSWORD),
            ("otto", PASSWORD),
        ] {
            let before = hasher.compared.load(Ordering::SeqCst);
            let client = browser(AWAY, None);
            let ctx = house.public();
            let answer = log_in::authenticate(&ctx, &house.store, &passwords, &client, name, &password(text)).await;
            let Err(error) = answer else { panic!("{name:?} must be refused") };
            assert_eq!(hasher.compared.load(Ordering::SeqCst) - before, 1, "{name:?}: one comparison");
            answers.push(format!("{error:?} {error}"));
        }
        assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:?}");
        // Positive control: the right one is let in with the same one comparison.
        let before = hasher.compared.load(Ordering::SeqCst);
        owner.authenticate(house, &passwords, &browser(AWAY, None)).await.unwrap();
        assert_eq!(hasher.compared.load(Ordering::SeqCst) - before, 1);
    })
    .await;
}

#[tokio::test]
async fn an_attacker_who_fails_on_purpose_does_not_lock_the_owner_out() {
    for_each_database(async |house| {
        let passwords = passwords();
        let person = sign_up(house, &passwords, "erika").await;
        let known = browser(HOME, Some(&person.device));
        let mut paused = 0;
        for _ in 0..12 {
            match guess(house, "erika", AWAY, None).await {
                Err(LogInError::Throttled { .. }) => paused += 1,
                Err(LogInError::Refused) => {}
                _ => panic!("a guess must not succeed"),
            }
        }
        assert_eq!(paused, 7, "five guesses are judged, then there is a pause");
        // Positive control: an unknown browser is stopped, even with the right password, even from elsewhere.
        let stranger = browser(HOME, None);
        let stopped = person.authenticate(house, &passwords, &stranger).await;
        assert!(matches!(stopped, Err(LogInError::Throttled { .. })));
        // The owner's own browser is not, from whatever network.
        person.log_in(house, &passwords, &known).await;
        // Somebody else's cookie does not open the way.
        let other = sign_up(house, &passwords, "otto").await;
        let borrowed = browser(AWAY, Some(&other.device));
        // The clock has moved on; one more guess is judged and brings a longer pause.
        assert!(matches!(guess(house, "erika", AWAY, None).await, Err(LogInError::Refused)));
        assert!(matches!(guess(house, "erika", AWAY, Some(&other.device)).await, Err(LogInError::Throttled { .. })));
        assert!(matches!(person.authenticate(house, &passwords, &borrowed).await, Err(LogInError::Throttled { .. })));
        // The pause ends by itself.
        house.clock.advance(Duration::from_mins(31));
        assert!(person.authenticate(house, &passwords, &stranger).await.is_ok());
    })
    .await;
}

#[tokio::test]
async fn guesses_at_many_names_from_one_network_are_stopped_and_others_are_not() {
    for_each_database(async |house| {
        let passwords = passwords();
        let person = sign_up(house, &passwords, "erika").await;
        for number in 0..20 {
            assert!(matches!(guess(house, &format!("name{number}"), AWAY, None).await, Err(LogInError::Refused)));
        }
        let neighbour = "198.51.100.99";
        assert!(matches!(guess(house, "another", neighbour, None).await, Err(LogInError::Throttled { .. })));
        assert!(person.authenticate(house, &passwords, &browser(HOME, None)).await.is_ok());
    })
    .await;
}

#[tokio::test]
async fn pauses_grow_and_guesses_at_once_cannot_slip_through_together() {
    for_each_database(async |house| {
        sign_up(house, &passwords(), "erika").await;
        let guesses = (0..12).map(|_| guess(house, "erika", AWAY, None));
        let judged = futures_util::future::join_all(guesses)
            .await
            .into_iter()
            .filter(|answer| matches!(answer, Err(LogInError::Refused)))
            .count();
        assert_eq!(judged, 5, "{}", house.database);
        let mut last = Duration::ZERO;
        for _ in 0..4 {
            let Err(LogInError::Throttled { until }) = guess(house, "erika", AWAY, None).await else {
                panic!("must be paused")
            };
            let pause = until.since(house.clock.now());
            assert!(pause > last, "{pause:?} after {last:?}");
            last = pause;
            house.clock.advance(pause);
            assert!(matches!(guess(house, "erika", AWAY, None).await, Err(LogInError::Refused)));
        }
    })
    .await;
}

#[tokio::test]
async fn codes_are_throttled_and_the_recovery_code_stays_a_way_out() {
    for_each_database(async |house| {
        let passwords = passwords();
        let person = sign_up(house, &passwords, "erika").await;
        let stranger = browser(AWAY, None);
        let token = person.authenticate(house, &passwords, &stranger).await.unwrap();
        let (ctx, store) = (house.public(), &house.store);
        for _ in 0..5 {
            let wrong = log_in::prove_factor(&ctx, store, &stranger, &token, "12345").await;
            assert!(matches!(wrong, Err(FactorError::Refused)));
        }
        let code = person.secret.code_at(house.clock.now().plus(Duration::from_secs(30)));
        let stopped = log_in::prove_factor(&ctx, store, &stranger, &token, &code).await;
        assert!(matches!(stopped, Err(FactorError::Throttled { .. })), "even the right code");
        // On the owner's known browser codes still count, and elsewhere the recovery code does.
        person.log_in(house, &passwords, &browser(HOME, Some(&person.device))).await;
        assert!(log_in::prove_factor(&ctx, store, &stranger, &token, &person.codes[0].text()).await.is_ok());
    })
    .await;
}

#[tokio::test]
async fn after_a_hundred_wrong_codes_only_the_known_browser_and_recovery_codes_lead_in() {
    for_each_database(async |house| {
        let passwords = passwords();
        let person = sign_up(house, &passwords, "erika").await;
        let stranger = browser(AWAY, None);
        let fail = async |times: usize| {
            let mut tx = house.store.db.write().await.unwrap();
            for _ in 0..times {
                rows::count_factor_failure(&mut tx, person.account, person.user).await.unwrap();
            }
            tx.commit().await.unwrap();
        };
        fail(99).await;
        // Positive control: one fewer, and the code counts; a success begins the count anew.
        person.log_in(house, &passwords, &stranger).await;
        fail(100).await;
        let half = person.authenticate(house, &passwords, &stranger).await.unwrap();
        assert!(matches!(person.prove(house, &stranger, &half).await, Err(FactorError::Refused)));
        let code = person.codes[0].text();
        assert!(log_in::prove_factor(&house.public(), &house.store, &stranger, &half, &code).await.is_ok());
        person.log_in(house, &passwords, &browser(HOME, Some(&person.device))).await;
    })
    .await;
}

#[tokio::test]
async fn made_up_recovery_codes_close_neither_the_app_nor_the_owners_recovery_codes() {
    for_each_database(async |house| {
        let passwords = passwords();
        let person = sign_up(house, &passwords, "erika").await;
        let (ctx, store, thief) = (house.public(), &house.store, browser(AWAY, None));
        let half = person.authenticate(house, &passwords, &thief).await.unwrap();
        let mut paused = 0;
        let made_up: Vec<_> = (0..20).flat_map(|_| recovery_codes(&*house.entropy)).collect();
        assert_eq!(made_up.len(), 200);
        for code in made_up {
            match log_in::prove_factor(&ctx, store, &thief, &half, &code.text()).await {
                Err(FactorError::Refused) => {}
                Err(FactorError::Throttled { .. }) => paused += 1,
                _ => panic!("a made-up code must not count"),
            }
        }
        assert_eq!(paused, 190, "ten are judged, then there is a pause");
        let mut tx = store.db.read().await.unwrap();
        let log = audit::page(&house.system(person.account), &mut tx, None, audit::PAGE).await.unwrap();
        assert_eq!(
            log.iter().filter(|entry| entry.action == "factor.refuse").count(),
            10,
            "what is judged is recorded"
        );
        drop(tx);
        // Even the thief's own network is not closed to the code of the app, on a browser that nobody knows.
        person.log_in(house, &passwords, &browser(AWAY, None)).await;
        // From where the owner is, a recovery code still leads in.
        let home = browser(HOME, None);
        let half = person.authenticate(house, &passwords, &home).await.unwrap();
        assert!(log_in::prove_factor(&ctx, store, &home, &half, &person.codes[0].text()).await.is_ok());
    })
    .await;
}

#[tokio::test]
async fn a_known_browser_is_forgotten_after_a_hundred_wrong_codes_in_a_row() {
    for_each_database(async |house| {
        let passwords = passwords();
        let person = sign_up(house, &passwords, "erika").await;
        let stolen = browser(AWAY, Some(&person.device));
        let half = person.authenticate(house, &passwords, &stolen).await.unwrap();
        let device = look_up(house, &half).await.unwrap().device.unwrap();
        let (account, user) = (person.account, person.user);
        let fail = async |times: usize| {
            let mut tx = house.store.db.write().await.unwrap();
            for _ in 0..times {
                sessions::count_device_failure(&mut tx, account, user, device).await.unwrap();
            }
            tx.commit().await.unwrap();
        };
        let wrong = async |half: &Token| {
            let answer = log_in::prove_factor(&house.public(), &house.store, &stolen, half, "12345").await;
            assert!(matches!(answer, Err(FactorError::Refused)));
            look_up(house, half).await.unwrap().device.is_some()
        };
        fail(98).await;
        assert!(wrong(&half).await, "ninety-nine");
        // Positive control: a right code begins the count anew.
        let done = person.prove(house, &stolen, &half).await.unwrap();
        let known = browser(AWAY, Some(&done.device));
        let half = person.authenticate(house, &passwords, &known).await.unwrap();
        fail(98).await;
        assert!(wrong(&half).await, "ninety-nine again");
        assert!(!wrong(&half).await, "a hundred: even the log-in half done goes on as on an unknown browser");
        let again = person.authenticate(house, &passwords, &known).await.unwrap();
        assert!(look_up(house, &again).await.unwrap().device.is_none());
    })
    .await;
}

#[tokio::test]
async fn a_password_hash_from_another_row_opens_nothing() {
    for_each_database(async |house| {
        let passwords = passwords();
        let person = sign_up(house, &passwords, "erika").await;
        let own = person.ctx(house).await;
        let thief = sign_up(house, &passwords, "otto").await;
        let mut tx = house.store.db.write().await.unwrap();
        let victim = rows::find(&mut tx, person.account, person.user).await.unwrap().unwrap();
        let row = rows::find(&mut tx, thief.account, thief.user).await.unwrap().unwrap();
        // With write access to the database: put one's own hash into the victim's row.
        let put = async |tx: &mut letterkeep_store::Tx, hash: &[u8]| {
            let email = victim.email.as_deref();
            rows::set_password(tx, person.account, person.user, hash, email, 1, 0).await.unwrap();
        };
        put(&mut tx, &row.password).await;
        tx.commit().await.unwrap();
        let client = browser(HOME, Some(&person.device));
        assert!(matches!(person.authenticate(house, &passwords, &client).await, Err(LogInError::Refused)));
        // Positive control: the right hash back, and the log-in works.
        let mut tx = house.store.db.write().await.unwrap();
        put(&mut tx, &victim.password).await;
        tx.commit().await.unwrap();
        assert!(person.authenticate(house, &passwords, &client).await.is_ok());
        let mut tx = house.store.db.read().await.unwrap();
        let keyring = house.store.keys.keyring(person.account).await.unwrap();
        assert_eq!(user::list(&own, &mut tx, &keyring).await.unwrap().len(), 1);
    })
    .await;
}

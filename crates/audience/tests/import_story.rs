//! The import on both databases: a file in, contacts out, and every way in which it can be interrupted or taken back.
#![expect(clippy::unwrap_used, reason = "a test that fails says where")]

#[path = "import_story/check.rs"]
mod check;
#[path = "import_story/gave_up.rs"]
mod gave_up;
#[path = "import_story/made.rs"]
mod made;
#[path = "import_story/no.rs"]
mod no;

use letterkeep_audience::import::{
    self, DryRun, Existing, FileStream, ImportError, Preview, Progress, Settings, State, Target, stage, undo,
};
use letterkeep_audience::permission::{self, Source};
use letterkeep_audience::{ContactRecord, Permission, StandardField};
use letterkeep_model::{Ctx, EmailAddress, Id, kind};
use letterkeep_store::sealed::column;
use letterkeep_store::{contact, list, suppression, tag};
use letterkeep_testkit::{TestHouse, for_each_database};
use letterkeep_vault::{IndexField, Keyring};
use std::fmt::Write as _;

const FILE: &str = "\
E-Mail,Vorname,Nachname,PLZ,Ort,Geburtstag,Umsatz,Tags,Notizen
joerg@example.org,Jörg,Größer,10115,Berlin,24.12.,\"1.234,50 €\",\"Stamm, Neu\",\"sagt \"\"ja\"\"\"
ann@example.com,Ann,O'Neill,,London,,,,
JOERG@example.org,Doppelt,,,,,,,
nobody,Ohne,Adresse,,,,,,
\"a@example.org
b@example.org\",Zwei,Zeilen,,,,,,
kurz@example.org,Zu,kurz
datum@example.org,Falsches,Datum,,,99.99.,,,
";

pub(crate) async fn uploaded(house: &TestHouse, ctx: &Ctx, name: &str, bytes: &[u8]) -> Id<kind::Import> {
    let mut writer = import::FileWriter::begin(ctx, &house.store, name, import::limits::FILE).await.unwrap();
    writer.write(bytes).await.unwrap();
    let file = writer.finish().await.unwrap();
    stage::register(ctx, &house.store, file.id).await.unwrap()
}

pub(crate) async fn imported(
    house: &TestHouse,
    ctx: &Ctx,
    bytes: &[u8],
    decide: impl FnOnce(&mut Settings),
) -> (Id<kind::Import>, Progress) {
    let decide = |preview: Preview| {
        let mut settings = preview.with_new_fields();
        decide(&mut settings);
        settings
    };
    import::import_file(ctx, &house.store, "kontakte.csv", &mut &bytes[..], decide, |_| {}).await.unwrap()
}

pub(crate) async fn found(
    house: &TestHouse,
    ctx: &Ctx,
    keyring: &Keyring,
    email: &str,
) -> Option<(contact::ContactRow, ContactRecord)> {
    let normal = EmailAddress::parse(email).unwrap().normalised();
    let index = keyring.blind_index(IndexField::ContactEmail, normal.as_bytes());
    let mut tx = house.store.db.read().await.unwrap();
    let row = contact::find_by_email(&mut tx, ctx.account, &index).await.unwrap()?;
    let record = keyring.open_json(&column::CONTACT_RECORD.slot(&row.contact_id), &row.record).unwrap();
    Some((row, record))
}

pub(crate) async fn rejects(house: &TestHouse, ctx: &Ctx, file: Id<kind::File>) -> String {
    let mut stream = FileStream::open(&house.store, ctx.account, file).await.unwrap();
    let mut text = Vec::new();
    while let Some(piece) = stream.next().await.unwrap() {
        text.extend_from_slice(&piece);
    }
    String::from_utf8(text).unwrap()
}

pub(crate) async fn new_list(house: &TestHouse, ctx: &Ctx, name: &str) -> Id<kind::List> {
    let list = ctx.new_id::<kind::List>();
    let mut tx = house.store.db.write().await.unwrap();
    assert!(list::insert(&mut tx, ctx.account, list, name, "", ctx.now().micros()).await.unwrap());
    tx.commit().await.unwrap();
    list
}

pub(crate) async fn members(house: &TestHouse, ctx: &Ctx, list: Id<kind::List>) -> i64 {
    let mut tx = house.store.db.read().await.unwrap();
    list::find(&mut tx, ctx.account, list).await.unwrap().unwrap().members
}

pub(crate) async fn total(house: &TestHouse, ctx: &Ctx) -> i64 {
    let mut tx = house.store.db.read().await.unwrap();
    contact::counts(&mut tx, ctx.account).await.unwrap().into_iter().map(|(_, count)| count).sum()
}

#[tokio::test]
async fn a_file_becomes_contacts_and_what_is_wrong_comes_back() {
    for_each_database(async |house| {
        let (account, keyring) = house.account().await;
        let ctx = house.system(account);
        let list = new_list(house, &ctx, "Newsletter").await;
        let (import, progress) = imported(house, &ctx, FILE.as_bytes(), |settings| {
            settings.permission = Permission::Explicit;
            settings.evidence = "Anmeldebogen im Laden".into();
            settings.lists = vec![list];
            settings.locale = letterkeep_model::Locale::De;
        })
        .await;
        assert_eq!((progress.state, progress.rows_done, progress.rows_total), (State::Done, 7, Some(7)));
        assert_eq!((progress.created, progress.duplicate, progress.rejected), (2, 1, 4));

        let (row, record) = found(house, &ctx, &keyring, "joerg@example.org").await.unwrap();
        assert_eq!((record.first_name.as_str(), record.last_name.as_str()), ("Jörg", "Größer"));
        assert_eq!(record.notes, "sagt \"ja\"");
        assert_eq!(record.text(StandardField::Birthday), "12-24");
        assert_eq!(record.custom["umsatz"].text(), "1234.50 EUR");
        assert_eq!((row.permission.as_str(), row.import_id), ("explicit", Some(import.uuid())));
        assert_eq!(members(house, &ctx, list).await, 2);

        let mut tx = house.store.db.read().await.unwrap();
        let tags = tag::all(&mut tx, account, 10).await.unwrap();
        let mut names = tags.iter().map(|tag| (tag.name.as_str(), tag.members)).collect::<Vec<_>>();
        names.sort_unstable();
        assert_eq!(names, [("Neu", 1), ("Stamm", 1)]);
        let contact = Id::from_uuid(row.contact_id);
        let history = permission::history(&ctx, &mut tx, &keyring, contact).await.unwrap();
        assert_eq!(history.len(), 1);
        assert_eq!((history[0].before.as_str(), history[0].after.as_str()), ("not_set", "explicit"));
        assert_eq!(history[0].import, Some(import));
        drop(tx);

        // What it began with stays in the history when the permission changes.
        let mut tx = house.store.db.write().await.unwrap();
        permission::unsubscribe(&ctx, &mut tx, &keyring, contact, Source::Page, None).await.unwrap();
        let history = permission::history(&ctx, &mut tx, &keyring, contact).await.unwrap();
        let states = history.iter().map(|change| (&change.before[..], &change.after[..], change.import));
        let expected = [("explicit", "unsubscribed", None), ("not_set", "explicit", Some(import))];
        assert_eq!(states.collect::<Vec<_>>(), expected);
        let kept = stage::evidence(&ctx, &mut tx, &keyring, import).await.unwrap().unwrap();
        assert_eq!(kept.evidence, "Anmeldebogen im Laden");
        drop(tx);

        let text = rejects(house, &ctx, progress.rejects.unwrap()).await;
        for expected in [
            "\"Zeile\",\"Grund\",\"E-Mail\"",
            "\"4\",\"Die Adresse steht weiter oben",
            "\"5\",\"Spalte 1 („E-Mail“): die E-Mail-Adresse braucht genau ein @\",\"nobody\"",
            "\"6\",\"Spalte 1 („E-Mail“): die E-Mail-Adresse enthält einen Zeilenumbruch",
            "\"7\",\"Die Zeile hat 3 Zellen, die Überschrift 9",
            "\"8\",\"Spalte 6 („Geburtstag“): kein Geburtstag",
        ] {
            assert!(text.contains(expected.trim_matches('\u{0}')), "{expected} is missing in {text}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_dry_run_says_what_the_run_then_does_and_writes_nothing() {
    for_each_database(async |house| {
        let (account, keyring) = house.account().await;
        let ctx = house.system(account);
        imported(house, &ctx, b"E-Mail,Vorname,Ort\nann@example.com,Anne,London\nben@example.com,Ben,Bonn\n", |_| {})
            .await;
        let second =
            "E-Mail,Vorname,Ort\nann@example.com,Ann,\nben@example.com,Ben,Bonn\nnew@example.com,New,Ulm\nbad,x,y\n";
        let import = uploaded(house, &ctx, "zweite.csv", second.as_bytes()).await;
        let preview = stage::preview(&ctx, &house.store, import).await.unwrap();
        assert_eq!(preview.file_name, "zweite.csv");
        stage::configure(&ctx, &house.store, import, &preview.settings).await.unwrap();
        let dry: DryRun = import::dry_run::dry_run(&ctx, &house.store, import).await.unwrap();
        assert_eq!((dry.rows, dry.created, dry.updated, dry.unchanged, dry.rejected), (4, 1, 1, 1, 1));
        assert_eq!(dry.examples[0].row, 5);
        assert_eq!(dry.reasons["email-at"], 1);
        assert_eq!(dry.differences[0].changes, [("first_name".into(), "Anne".into(), "Ann".into())]);
        assert!(!dry.differences[0].email.contains("ann"));
        assert_eq!(total(house, &ctx).await, 2);
        assert_eq!(found(house, &ctx, &keyring, "ann@example.com").await.unwrap().1.first_name, "Anne");

        stage::start(&ctx, &house.store, import).await.unwrap();
        let job = letterkeep_store::queue::claim(&house.store.db, ctx.now(), std::time::Duration::from_mins(1)).await;
        let job = job.unwrap().expect("the start enqueued a job");
        let outcome = import::run::perform(&ctx, &house.store, &job).await;
        assert_eq!(outcome, letterkeep_store::queue::Outcome::Done);
        let mut tx = house.store.db.read().await.unwrap();
        let progress = import::progress::progress(&mut tx, account, import, ctx.now()).await.unwrap().unwrap();
        assert_eq!(
            (progress.created, progress.updated, progress.unchanged, progress.rejected),
            (dry.created, dry.updated, dry.unchanged, dry.rejected)
        );
        drop(tx);
        let (_, ann) = found(house, &ctx, &keyring, "ann@example.com").await.unwrap();
        assert_eq!(ann.first_name, "Ann");
        assert_eq!(ann.addresses[0].city, "London", "an empty cell must not erase");
    })
    .await;
}

#[tokio::test]
async fn who_has_said_no_stays_out() {
    for_each_database(async |house| {
        let (account, keyring) = house.account().await;
        let ctx = house.system(account);
        let explicit = |settings: &mut Settings| {
            settings.permission = Permission::Explicit;
            settings.evidence = "asserted".into();
        };
        imported(house, &ctx, b"E-Mail\nno@example.com\nmaybe@example.com\n", |_| {}).await;
        let (no, _) = found(house, &ctx, &keyring, "no@example.com").await.unwrap();
        let gone = keyring.blind_index(IndexField::ContactEmail, b"gone@example.com");
        let mut tx = house.store.db.write().await.unwrap();
        let (contact, now) = (Id::from_uuid(no.contact_id), ctx.now().micros());
        contact::set_permission(&mut tx, account, contact, "not_set", "unsubscribed", "link", now).await.unwrap();
        suppression::add(&mut tx, account, &gone, "unsubscribed", "link", now).await.unwrap();
        tx.commit().await.unwrap();

        imported(house, &ctx, b"E-Mail\nno@example.com\nmaybe@example.com\ngone@example.com\n", explicit).await;
        for (email, permission) in [
            ("no@example.com", "unsubscribed"),
            ("maybe@example.com", "explicit"),
            ("gone@example.com", "unsubscribed"),
        ] {
            assert_eq!(found(house, &ctx, &keyring, email).await.unwrap().0.permission, permission, "{email}");
        }

        // A column speaks for each row; an empty cell is no permission.
        let file = b"E-Mail,Einwilligung\nyes@example.com,ja\nempty@example.com,\noff@example.com,abgemeldet\n";
        imported(house, &ctx, file, explicit).await;
        for (email, permission) in
            [("yes@example.com", "explicit"), ("empty@example.com", "not_set"), ("off@example.com", "unsubscribed")]
        {
            assert_eq!(found(house, &ctx, &keyring, email).await.unwrap().0.permission, permission, "{email}");
        }
    })
    .await;
}

#[tokio::test]
async fn existing_contacts_can_be_left_as_they_are() {
    for_each_database(async |house| {
        let (account, keyring) = house.account().await;
        let ctx = house.system(account);
        let list = new_list(house, &ctx, "Alle").await;
        imported(house, &ctx, b"E-Mail,Vorname\nann@example.com,Ann\n", |_| {}).await;
        let (_, progress) = imported(house, &ctx, b"E-Mail,Vorname\nann@example.com,Zoe\n", |settings| {
            settings.existing = Existing::Keep;
            settings.lists = vec![list];
        })
        .await;
        assert_eq!(progress.unchanged, 1);
        assert_eq!(found(house, &ctx, &keyring, "ann@example.com").await.unwrap().1.first_name, "Ann");
        assert_eq!(members(house, &ctx, list).await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_whole_import_can_be_taken_back() {
    for_each_database(async |house| {
        let (account, keyring) = house.account().await;
        let ctx = house.system(account);
        let list = new_list(house, &ctx, "Liste").await;
        imported(house, &ctx, b"E-Mail,Vorname\nold@example.com,Old\ntouched@example.com,T\n", |_| {}).await;
        let file = b"E-Mail,Vorname,Tags\nold@example.com,Changed,x\ntouched@example.com,U,\nnew@example.com,New,x\nstays@example.com,S,\n";
        let (import, progress) = imported(house, &ctx, file, |settings| {
            settings.lists = vec![list];
            settings.permission = Permission::Implicit;
            settings.evidence = "customers".into();
        })
        .await;
        assert_eq!((progress.created, progress.updated), (2, 2));
        assert_eq!(members(house, &ctx, list).await, 4);
        // Since then one was edited and one has said no.
        house.clock.advance(std::time::Duration::from_mins(1));
        imported(house, &ctx, b"E-Mail,Vorname\ntouched@example.com,Later\n", |_| {}).await;
        let (stays, _) = found(house, &ctx, &keyring, "stays@example.com").await.unwrap();
        let mut tx = house.store.db.write().await.unwrap();
        let (contact, now) = (Id::from_uuid(stays.contact_id), ctx.now().micros());
        contact::set_permission(&mut tx, account, contact, "implicit", "unsubscribed", "link", now).await.unwrap();
        tx.commit().await.unwrap();

        let undone = undo::undo_now(&ctx, &house.store, import).await.unwrap();
        assert_eq!((undone.removed, undone.restored, undone.kept), (1, 1, 2));
        let (old, record) = found(house, &ctx, &keyring, "old@example.com").await.unwrap();
        assert_eq!((record.first_name.as_str(), old.permission.as_str()), ("Old", "not_set"));
        assert!(found(house, &ctx, &keyring, "new@example.com").await.is_none());
        assert_eq!(found(house, &ctx, &keyring, "touched@example.com").await.unwrap().1.first_name, "Later");
        assert_eq!(found(house, &ctx, &keyring, "stays@example.com").await.unwrap().0.permission, "unsubscribed");
        assert_eq!(members(house, &ctx, list).await, 0);
        assert_eq!(total(house, &ctx).await, 3);
        let mut tx = house.store.db.read().await.unwrap();
        assert!(tag::all(&mut tx, account, 10).await.unwrap().is_empty(), "the tag that the import made is gone");
        assert_eq!(undone.unmade, 1);
        assert!(list::find(&mut tx, account, list).await.unwrap().is_some(), "a list that was there before stays");
        assert_eq!(undo::undone(&mut tx, account, import).await.unwrap(), Some(undone));
        drop(tx);
        assert!(matches!(undo::undo_now(&ctx, &house.store, import).await, Err(ImportError::State(State::Undone, _))));
    })
    .await;
}

/// A file of `rows` rows, with some that are refused.
fn large(rows: usize) -> Vec<u8> {
    let mut file = String::from("E-Mail,Vorname,Notizen\n");
    for row in 0..rows {
        let email =
            if row % 1000 == 999 { "broken".to_owned() } else { format!("p{}@example.org", row - row % 50 / 49) };
        writeln!(file, "{email},Vorname {row},\"Notiz, {row}\"").unwrap();
    }
    file.into_bytes()
}

#[tokio::test]
async fn pause_resume_and_cancel() {
    for_each_database(async |house| {
        let (account, _) = house.account().await;
        let ctx = house.system(account);
        let import = uploaded(house, &ctx, "gross.csv", &large(15_000)).await;
        let preview = stage::preview(&ctx, &house.store, import).await.unwrap();
        stage::configure(&ctx, &house.store, import, &preview.settings).await.unwrap();
        stage::start(&ctx, &house.store, import).await.unwrap();
        // Paused before it began: the run does nothing.
        stage::pause(&ctx, &house.store, import).await.unwrap();
        let progress = import::run::run(&ctx, &house.store, import, None, |_| {}).await.unwrap();
        assert_eq!((progress.state, progress.rows_done), (State::Paused, 0));
        stage::resume(&ctx, &house.store, import).await.unwrap();

        // Paused while it runs: the batch that is under way is dropped whole, or kept whole.
        let (batch, mut batches) = tokio::sync::mpsc::unbounded_channel();
        let running = tokio::spawn({
            let (ctx, store) = (ctx.clone(), house.store.clone());
            async move {
                import::run::run(&ctx, &store, import, None, |_| {
                    let _ = batch.send(());
                })
                .await
            }
        });
        batches.recv().await.expect("a first batch");
        stage::pause(&ctx, &house.store, import).await.unwrap();
        let paused = running.await.unwrap().unwrap();
        assert_eq!(paused.state, State::Paused);
        assert!(paused.rows_done > 0 && paused.rows_done < 15_000, "{}", paused.rows_done);
        let rows = paused.created + paused.duplicate + paused.rejected + paused.unchanged + paused.updated;
        assert_eq!(rows, paused.rows_done);
        assert_eq!(total(house, &ctx).await as u64, paused.created);

        stage::resume(&ctx, &house.store, import).await.unwrap();
        let done = import::run::run(&ctx, &house.store, import, None, |_| {}).await.unwrap();
        assert_eq!((done.state, done.rows_done, done.rejected, done.unchanged), (State::Done, 15_000, 15, 0));
        assert_eq!(total(house, &ctx).await as u64, done.created);
        assert_eq!(done.created + done.duplicate, 14_985);

        let import = uploaded(house, &ctx, "noch-eine.csv", b"E-Mail\nx@example.com\n").await;
        stage::cancel(&ctx, &house.store, import).await.unwrap();
        let mut tx = house.store.db.read().await.unwrap();
        let progress = import::progress::progress(&mut tx, account, import, ctx.now()).await.unwrap().unwrap();
        assert_eq!(progress.state, State::Cancelled);
    })
    .await;
}

#[tokio::test]
async fn settings_that_do_not_fit_are_refused() {
    let house = TestHouse::sqlite().await;
    let (account, _) = house.account().await;
    let ctx = house.system(account);
    let import = uploaded(&house, &ctx, "x.csv", b"E-Mail,Vorname\na@example.com,A\n").await;
    let settings = stage::preview(&ctx, &house.store, import).await.unwrap().settings;
    let refused = async |change: &dyn Fn(&mut Settings)| {
        let mut settings = settings.clone();
        change(&mut settings);
        matches!(stage::configure(&ctx, &house.store, import, &settings).await, Err(ImportError::Settings(_)))
    };
    assert!(!refused(&|_| {}).await, "the positive control");
    assert!(refused(&|settings| settings.mapping[0] = Target::Skip).await);
    assert!(refused(&|settings| settings.mapping[1] = Target::Field(StandardField::Email)).await);
    assert!(refused(&|settings| settings.mapping[1] = Target::Custom(ctx.new_id())).await);
    assert!(refused(&|settings| settings.mapping.truncate(1)).await);
    assert!(refused(&|settings| settings.permission = Permission::Explicit).await, "no evidence");
    assert!(refused(&|settings| settings.permission = Permission::Unsubscribed).await);
    assert!(refused(&|settings| settings.tracking = true).await, "no evidence");
    assert!(refused(&|settings| settings.time_zone = "Mars/Base".into()).await);
}

#[tokio::test]
async fn the_example_files_are_imported() {
    let house = TestHouse::sqlite().await;
    let (account, keyring) = house.account().await;
    let ctx = house.system(account);
    let example = |name: &str| {
        std::fs::read(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name)).unwrap()
    };
    let asserted = |settings: &mut Settings| {
        settings.evidence = "the column of the file".into();
        settings.tracking_evidence = "the column of the file".into();
    };
    let (_, progress) = imported(&house, &ctx, &example("contacts.csv"), asserted).await;
    assert_eq!(progress.rows_done, 10_040);
    assert_eq!((progress.created, progress.duplicate, progress.rejected), (9_940, 40, 60));
    let small = example("kontakte-windows-1252.csv");
    let (_, progress) = imported(&house, &ctx, &small, |_| {}).await;
    assert_eq!((progress.rows_done, progress.rejected), (60, 0));
    let mut tx = house.store.db.read().await.unwrap();
    let fields = letterkeep_audience::field::all(&ctx, &mut tx).await.unwrap();
    assert!(fields.iter().any(|field| field.label == "Kundennummer"), "unknown columns became fields");
    drop((tx, keyring));
}

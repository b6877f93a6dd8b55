use letterkeep_model::{Id, SystemEntropy};
use tempfile::TempDir;

use super::*;
use crate::fixture::key;
use crate::{KeyPurpose, UnwrapError, WrapSlot, Wrapped};

const SLOT: WrapSlot = WrapSlot { account: Id::NIL, purpose: KeyPurpose::Data, version: 1 };
const PHRASE: &str = "acht Pferde fressen Heu";

fn phrase(text: &str) -> Passphrase {
    Passphrase::new(text.to_owned()).with_work_factor(1)
}

fn plain(directory: &TempDir) -> RootSource {
    RootSource::KeyFile(directory.path().join("root.key"))
}

fn sealed(directory: &TempDir, passphrase: &str) -> RootSource {
    RootSource::PassphraseFile { path: directory.path().join("root.age"), passphrase: phrase(passphrase) }
}

fn both(test: impl Fn(&RootSource)) {
    let directory = TempDir::new().unwrap();
    for source in [plain(&directory), sealed(&directory, PHRASE)] {
        test(&source);
    }
}

fn opens(root: &Root, wrapped: &Wrapped) -> bool {
    root.unwrap(&SLOT, wrapped.root, &wrapped.bytes).is_ok_and(|opened| opened.as_bytes() == key(7).as_bytes())
}

fn wrap(root: &Root) -> Wrapped {
    root.wrap(&SLOT, &key(7), &SystemEntropy)
}

#[test]
fn what_was_created_opens_and_is_never_overwritten() {
    both(|source| {
        assert!(matches!(source.open(), Err(RootError::Missing(_))));
        let wrapped = wrap(&source.create(&SystemEntropy).unwrap());
        assert!(opens(&source.open().unwrap(), &wrapped));

        let before = fs::read(source.path()).unwrap();
        assert!(matches!(source.create(&SystemEntropy), Err(RootError::Exists(_))));
        assert_eq!(fs::read(source.path()).unwrap(), before);
    });
}

#[cfg(unix)]
#[test]
fn only_the_owner_may_read_it() {
    use std::os::unix::fs::PermissionsExt;

    both(|source| {
        source.create(&SystemEntropy).unwrap();
        assert_eq!(fs::metadata(source.path()).unwrap().permissions().mode() & 0o7777, 0o600);
        for (mode, fine) in [
            (0o644, false),
            (0o604, false),
            (0o640, false),
            (0o620, false),
            (0o601, false),
            (0o400, true),
            (0o600, true),
        ] {
            fs::set_permissions(source.path(), fs::Permissions::from_mode(mode)).unwrap();
            match source.open() {
                Ok(_) => assert!(fine, "{mode:o}"),
                Err(error @ RootError::Exposed { .. }) => {
                    assert!(!fine, "{mode:o}");
                    let text = error.to_string();
                    assert!(text.contains(&format!("chmod 600 '{}'", source.path().display())), "{text}");
                    assert!(text.contains(&format!("{mode:04o}")), "{text}");
                }
                Err(error) => panic!("{mode:o}: {error}"),
            }
        }
    });
}

#[test]
fn the_sealed_file_shows_no_key_and_another_passphrase_does_not_open_it() {
    let directory = TempDir::new().unwrap();
    let source = sealed(&directory, PHRASE);
    source.create(&SystemEntropy).unwrap();
    let bytes = fs::read(source.path()).unwrap();
    assert!(bytes.starts_with(b"age-encryption.org/v1\n-> scrypt "));
    let name = source.open().unwrap().current().to_string();
    assert!(!String::from_utf8_lossy(&bytes).contains(&name));
    for wrong in ["acht Pferde fressen heu", "acht Pferde fressen Heu ", ""] {
        assert!(matches!(sealed(&directory, wrong).open(), Err(RootError::Passphrase(_))), "{wrong:?}");
    }
    assert!(sealed(&directory, "acht Pferde fressen Heu\n").open().is_ok());
}

#[test]
fn a_short_passphrase_is_refused_before_anything_is_written() {
    let directory = TempDir::new().unwrap();
    let source = sealed(&directory, "elf Zeichen");
    assert!(matches!(source.create(&SystemEntropy), Err(RootError::ShortPassphrase)));
    assert!(!source.path().exists());
}

#[test]
fn a_file_of_the_other_kind_is_named_as_such() {
    let directory = TempDir::new().unwrap();
    plain(&directory).create(&SystemEntropy).unwrap();
    sealed(&directory, PHRASE).create(&SystemEntropy).unwrap();
    let path = plain(&directory).path().to_owned();
    let source = RootSource::PassphraseFile { path, passphrase: phrase(PHRASE) };
    assert!(matches!(source.open(), Err(RootError::NotSealed(_))));
    let source = RootSource::KeyFile(sealed(&directory, PHRASE).path().to_owned());
    assert!(matches!(source.open(), Err(RootError::Sealed(_))));
}

#[test]
fn a_damaged_file_says_so_and_no_key_comes_out_of_it() {
    both(|source| {
        source.create(&SystemEntropy).unwrap();
        let whole = fs::read(source.path()).unwrap();
        // Every place, one of its bits; scrypt makes all eight too slow. Where the seal of the file's own key
        // is hit, a wrong passphrase and a damaged file cannot be told apart.
        for place in 0..whole.len() {
            let mut changed = whole.clone();
            changed[place] ^= 1 << (place % 8);
            fs::write(source.path(), &changed).unwrap();
            let error = source.open().err().unwrap_or_else(|| panic!("byte {place} does not count"));
            assert!(
                matches!(error, RootError::Damaged { .. } | RootError::Passphrase(_) | RootError::NotSealed(_)),
                "byte {place}: {error}"
            );
        }
        for length in (0..whole.len() - 1).step_by(7) {
            fs::write(source.path(), &whole[..length]).unwrap();
            assert!(matches!(source.open(), Err(RootError::Damaged { .. })), "the first {length} bytes");
        }
        fs::write(source.path(), vec![b'\n'; MAX_LEN + 1]).unwrap();
        assert!(matches!(source.open(), Err(RootError::Damaged { .. })));
        fs::write(source.path(), &whole).unwrap();
        assert!(source.open().is_ok());
    });
}

#[test]
fn a_file_that_would_cost_a_gigabyte_to_open_is_refused_at_once() {
    let directory = TempDir::new().unwrap();
    let source = sealed(&directory, PHRASE);
    source.create(&SystemEntropy).unwrap();
    let text = fs::read(source.path()).unwrap();
    let line_end = text.iter().skip(22).position(|byte| *byte == b'\n').unwrap() + 22;
    assert_eq!(text[line_end - 2..line_end], *b" 1");
    fs::write(source.path(), [&text[..line_end - 1], b"30", &text[line_end..]].concat()).unwrap();
    assert!(matches!(source.open(), Err(RootError::Damaged { .. })));
}

#[test]
fn what_is_not_a_file_is_refused() {
    let directory = TempDir::new().unwrap();
    let source = RootSource::KeyFile(directory.path().to_owned());
    assert!(matches!(source.open(), Err(RootError::Damaged { .. })));
    let source = RootSource::KeyFile(directory.path().join("absent/root.key"));
    let error = source.create(&SystemEntropy).err().unwrap();
    assert!(error.to_string().contains("root.key"), "{error}");
}

#[test]
fn a_rotation_opens_everything_until_it_is_finished() {
    both(|source| {
        let mut root = source.create(&SystemEntropy).unwrap();
        let (first, old) = (root.current(), wrap(&root));

        source.begin_rotation(&mut root, &SystemEntropy).unwrap();
        let new = wrap(&root);
        assert_ne!(root.current(), first);
        for view in [&root, &source.open().unwrap()] {
            assert!(opens(view, &old) && opens(view, &new));
        }

        source.finish_rotation(&mut root, &[first]).unwrap();
        assert!(opens(&root, &old), "still in use, so kept");

        source.finish_rotation(&mut root, &[]).unwrap();
        for view in [&root, &source.open().unwrap()] {
            assert_eq!(view.unwrap(&SLOT, old.root, &old.bytes).err(), Some(UnwrapError::UnknownRoot(first)));
            assert!(opens(view, &new));
            assert_eq!(view.ids().count(), 1);
        }
    });
}

#[test]
fn a_crash_between_any_two_steps_leaves_a_file_that_opens_everything() {
    both(|source| {
        let mut wrapped = Vec::new();
        let mut root = source.create(&SystemEntropy).unwrap();
        wrapped.push(wrap(&root));
        // Killed after the temporary file was written and before it took the place of the old one.
        fs::write(sibling(source.path(), ".new"), b"half a fi").unwrap();
        assert!(opens(&source.open().unwrap(), &wrapped[0]));
        // Killed after the file was replaced and before anything was wrapped by the new root: begun again.
        for _ in 0..3 {
            source.begin_rotation(&mut root, &SystemEntropy).unwrap();
            root = source.open().unwrap();
            wrapped.push(wrap(&root));
        }
        assert_eq!(root.ids().count(), 4);
        assert!(wrapped.iter().all(|wrapped| opens(&root, wrapped)));
        assert!(!sibling(source.path(), ".new").exists());
        // Killed in the middle of wrapping anew: what is not yet done is in use.
        source.finish_rotation(&mut root, &[wrapped[1].root]).unwrap();
        assert!(opens(&root, &wrapped[1]) && opens(&root, &wrapped[3]));
        assert!(!opens(&root, &wrapped[0]) && !opens(&root, &wrapped[2]));
    });
}

#[test]
fn a_process_that_read_the_file_long_ago_does_not_undo_anothers_rotation() {
    let directory = TempDir::new().unwrap();
    let source = plain(&directory);
    let mut mine = source.create(&SystemEntropy).unwrap();
    let mut other = source.open().unwrap();
    source.begin_rotation(&mut other, &SystemEntropy).unwrap();
    let wrapped = wrap(&other);
    assert!(!opens(&mine, &wrapped));
    source.begin_rotation(&mut mine, &SystemEntropy).unwrap();
    assert!(opens(&mine, &wrapped));
    assert_eq!(mine.ids().count(), 3);
}

#[test]
fn rotations_at_the_same_time_lose_no_root() {
    let directory = TempDir::new().unwrap();
    plain(&directory).create(&SystemEntropy).unwrap();
    let wrapped = std::thread::scope(|scope| {
        let threads = (0..8).map(|_| {
            scope.spawn(|| {
                let source = plain(&directory);
                let mut root = source.open().unwrap();
                source.begin_rotation(&mut root, &SystemEntropy).unwrap();
                wrap(&root)
            })
        });
        let threads = threads.collect::<Vec<_>>();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    let root = plain(&directory).open().unwrap();
    assert_eq!(root.ids().count(), 9);
    assert!(wrapped.iter().all(|wrapped| opens(&root, wrapped)));
}

#[test]
fn rotations_that_are_never_finished_come_to_an_end() {
    let directory = TempDir::new().unwrap();
    let source = plain(&directory);
    let mut root = source.create(&SystemEntropy).unwrap();
    for _ in 1..MAX_ROOTS {
        source.begin_rotation(&mut root, &SystemEntropy).unwrap();
    }
    assert!(matches!(source.begin_rotation(&mut root, &SystemEntropy), Err(RootError::Full(_))));
    source.finish_rotation(&mut root, &[]).unwrap();
    assert!(source.begin_rotation(&mut root, &SystemEntropy).is_ok());
}

#[test]
fn a_hold_shows_the_file_as_it_is_and_keeps_rotations_waiting() {
    both(|source| {
        let mut root = source.create(&SystemEntropy).unwrap();
        let (hold, fresh) = source.hold(&root).unwrap();
        assert!(fresh.is_none(), "nothing has changed");
        let (second, _) = source.hold(&root).unwrap();
        drop(second);

        let (done, waiting) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let mut other = source.open().unwrap();
                source.begin_rotation(&mut other, &SystemEntropy).unwrap();
                source.finish_rotation(&mut other, &[]).unwrap();
                done.send(other.current()).unwrap();
            });
            assert!(waiting.recv_timeout(std::time::Duration::from_millis(50)).is_err(), "held");
            assert_eq!(source.open().unwrap().current(), root.current(), "reading is free");
            drop(hold);
            let current = waiting.recv().unwrap();

            let (_hold, fresh) = source.hold(&root).unwrap();
            root = fresh.expect("the file has changed");
            assert_eq!(root.current(), current);
        });
        assert!(source.hold(&root).unwrap().1.is_none());
    });
}

const NEW: &str = "neun Raben tragen Kohle";

#[test]
fn a_new_passphrase_opens_the_same_keys_and_the_old_one_nothing() {
    let directory = TempDir::new().unwrap();
    let source = sealed(&directory, PHRASE);
    let mut root = source.create(&SystemEntropy).unwrap();
    let old = wrap(&root);
    source.begin_rotation(&mut root, &SystemEntropy).unwrap();
    let new = wrap(&root);
    source.change_passphrase(phrase(NEW)).unwrap();
    assert!(matches!(source.open(), Err(RootError::Passphrase(_))));
    let renewed = sealed(&directory, NEW);
    let opened = renewed.open().unwrap();
    assert!(opens(&opened, &old) && opens(&opened, &new), "also in the middle of a rotation");
    assert_eq!(opened.current(), root.current());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(renewed.path()).unwrap().permissions().mode() & 0o7777, 0o600);
    }
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "nothing is left beside it");
}

#[test]
fn a_passphrase_that_cannot_be_changed_leaves_the_file_untouched() {
    let directory = TempDir::new().unwrap();
    let source = sealed(&directory, PHRASE);
    source.create(&SystemEntropy).unwrap();
    let before = fs::read(source.path()).unwrap();
    let wrong = sealed(&directory, "acht Pferde fressen heu").change_passphrase(phrase(NEW));
    assert!(matches!(wrong, Err(RootError::Passphrase(_))));
    assert!(matches!(source.change_passphrase(phrase("elf Zeichen")), Err(RootError::ShortPassphrase)));
    assert_eq!(fs::read(source.path()).unwrap(), before);

    let key_file = plain(&directory);
    key_file.create(&SystemEntropy).unwrap();
    assert!(matches!(key_file.change_passphrase(phrase(NEW)), Err(RootError::NoPassphrase(_))));
    assert!(key_file.open().is_ok());
}

#[test]
fn a_crash_while_the_passphrase_changes_leaves_one_that_opens() {
    let directory = TempDir::new().unwrap();
    let source = sealed(&directory, PHRASE);
    let wrapped = wrap(&source.create(&SystemEntropy).unwrap());
    let before = fs::read(source.path()).unwrap();
    // Killed after the new file was written whole and before it took the place of the old one.
    source.change_passphrase(phrase(NEW)).unwrap();
    fs::rename(source.path(), sibling(source.path(), ".new")).unwrap();
    fs::write(source.path(), &before).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(source.path(), fs::Permissions::from_mode(0o600)).unwrap();
    }
    assert!(opens(&source.open().unwrap(), &wrapped), "the old passphrase still opens it");
    // Begun again.
    source.change_passphrase(phrase(NEW)).unwrap();
    assert!(opens(&sealed(&directory, NEW).open().unwrap(), &wrapped));
    assert!(!sibling(source.path(), ".new").exists());
}

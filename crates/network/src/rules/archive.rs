//! A release as a file: `.tar` or `.tar.gz`, read into memory. Nothing is written by a name that stands in an archive.

use std::io::Read as _;
use std::path::Component;

use flate2::read::MultiGzDecoder;
use letterkeep_model::Timestamp;
use tar::EntryType;

use super::RulesError;
use super::tree::{Kept, MAX_BYTES, Tree, is_needed};

/// Entries of an archive.
const MAX_ENTRIES: usize = 20_000;
/// Bytes of an archive when it is unpacked.
const MAX_UNPACKED: u64 = 256 << 20;

impl Tree {
    /// Reads an archive. A path that leads out of it, or a link in place of a file that is needed, is refused.
    pub(super) fn of_archive(bytes: &[u8]) -> Result<Self, RulesError> {
        Self::of_archive_within(bytes, MAX_UNPACKED)
    }

    fn of_archive_within(bytes: &[u8], max_unpacked: u64) -> Result<Self, RulesError> {
        let refuse = |problem: String| RulesError::Layout(format!("the archive {problem}"));
        let broken = |error: std::io::Error| refuse(format!("cannot be unpacked: {error}"));
        let unpacked: Box<dyn std::io::Read + '_> =
            if bytes.starts_with(&[0x1F, 0x8B]) { Box::new(MultiGzDecoder::new(bytes)) } else { Box::new(bytes) };
        let mut archive = tar::Archive::new(unpacked.take(max_unpacked));
        let mut tree = Self::default();
        for (number, entry) in archive.entries().map_err(broken)?.enumerate() {
            let mut entry = entry.map_err(broken)?;
            if number >= MAX_ENTRIES {
                return Err(refuse(format!("has more than {MAX_ENTRIES} entries")));
            }
            let kind = entry.header().entry_type();
            if kind == EntryType::XGlobalHeader {
                continue;
            }
            let path = entry.path().map_err(broken)?.into_owned();
            let mut names = Vec::new();
            for part in path.components() {
                match part {
                    Component::Normal(name) => {
                        names.push(name.to_str().ok_or_else(|| refuse("has a name that is not UTF-8".to_owned()))?);
                    }
                    Component::CurDir => {}
                    Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                        return Err(refuse(format!("has a path that leads out of it: {}", path.display())));
                    }
                }
            }
            let Some(name) = names.last() else { continue };
            if !is_needed(name) || kind == EntryType::Directory {
                continue;
            }
            if !matches!(kind, EntryType::Regular | EntryType::Continuous) {
                return Err(refuse(format!("has a link or a device for a file: {}", path.display())));
            }
            if entry.size() > MAX_BYTES as u64 {
                return Err(refuse(format!("has a file that is too large: {}", path.display())));
            }
            let seconds = entry.header().mtime().ok().and_then(|seconds| i64::try_from(seconds).ok());
            let mut content = Vec::new();
            entry.read_to_end(&mut content).map_err(broken)?;
            tree.add(names.join("/"), Kept { bytes: content, modified: seconds.map(Timestamp::from_seconds) })?;
        }
        Ok(tree)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An archive with the names as they are given: the library itself would refuse some of them.
    fn archive(entries: &[(&str, EntryType, &str)]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, kind, content) in entries {
            let mut header = tar::Header::new_gnu();
            header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
            if *kind == EntryType::Symlink {
                header.set_link_name("/etc/passwd").unwrap();
            }
            header.set_entry_type(*kind);
            header.set_size(content.len() as u64);
            header.set_mtime(1_700_000_000);
            header.set_mode(0o644);
            header.set_cksum();
            builder.append(&header, content.as_bytes()).unwrap();
        }
        builder.into_inner().unwrap()
    }

    fn read(entries: &[(&str, EntryType, &str)]) -> Result<Vec<String>, String> {
        let tree = Tree::of_archive(&archive(entries)).map_err(|error| error.to_string())?;
        Ok(tree.files().map(|(path, _)| path.to_owned()).collect())
    }

    #[test]
    fn what_is_needed_is_read() {
        let file = EntryType::Regular;
        let entries = [
            ("crs/", EntryType::Directory, ""),
            ("./crs/rules/a.conf", file, "SecMarker A"),
            ("crs/rules/a.data", file, "a"),
            ("crs/tests/b.yaml", file, "b"),
            ("crs/latest", EntryType::Symlink, ""),
        ];
        assert_eq!(read(&entries).unwrap(), ["crs/rules/a.conf", "crs/rules/a.data"]);
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut packed, &archive(&entries)).unwrap();
        let tree = Tree::of_archive(&packed.finish().unwrap()).unwrap();
        let (_, first) = tree.files().next().unwrap();
        assert_eq!(
            (&first.bytes[..], first.modified),
            (&b"SecMarker A"[..], Some(Timestamp::from_seconds(1_700_000_000)))
        );
    }

    #[test]
    fn what_leads_out_or_is_no_file_is_refused() {
        let file = EntryType::Regular;
        for (name, kind) in [
            ("../a.conf", file),
            ("/etc/a.conf", file),
            ("x/../../a.conf", file),
            ("../a.txt", file),
            ("a.conf", EntryType::Symlink),
            ("a.conf", EntryType::Link),
            ("a.conf", EntryType::Char),
        ] {
            assert!(read(&[(name, kind, "")]).is_err(), "{name}");
        }
        assert!(read(&[("a.conf", file, "1"), ("./a.conf", file, "2")]).unwrap_err().contains("twice"));
        let many: Vec<_> = (0..=MAX_ENTRIES).map(|_| ("x", file, "")).collect();
        assert!(read(&many).unwrap_err().contains("entries"));
        assert!(Tree::of_archive(b"PK\x03\x04 this is no tar, whatever its name says").is_err());
        let whole = archive(&[("a.conf", file, "SecMarker A")]);
        assert!(Tree::of_archive(&whole[..600]).is_err(), "cut off");
    }

    #[test]
    fn a_bomb_is_not_unpacked() {
        const BOUND: u64 = 1 << 20;
        let bomb = |size: usize| {
            let mut builder = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best()));
            let mut header = tar::Header::new_gnu();
            header.set_path("a.txt").unwrap();
            header.set_size(size as u64);
            header.set_cksum();
            builder.append(&header, std::io::Read::take(std::io::repeat(0), size as u64)).unwrap();
            let mut header = tar::Header::new_gnu();
            header.set_path("a.conf").unwrap();
            header.set_size(0);
            header.set_cksum();
            builder.append(&header, &[][..]).unwrap();
            builder.into_inner().unwrap().finish().unwrap()
        };
        let packed = bomb(3 << 20);
        assert!(packed.len() < 10_000);
        assert!(Tree::of_archive_within(&packed, BOUND).is_err());
        let small = Tree::of_archive_within(&bomb(1 << 19), BOUND).unwrap();
        assert_eq!(small.files().count(), 1, "control");
    }
}

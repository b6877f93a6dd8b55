//! Requests that we and libmodsecurity 3.0.9 decide differently, each with the reason. One that is not listed, and one
//! that is and is decided alike, is an error.

use super::case::Generation;

/// Some requests and the reason.
pub(super) struct Explained {
    generation: Generation,
    levels: &'static [u8],
    /// Names of tests, with blanks between them.
    names: &'static str,
    reason: &'static str,
}

impl Explained {
    /// Whether it is about this comparison.
    pub(super) fn is_of(&self, generation: Generation, level: u8) -> bool {
        self.generation == generation && self.levels.contains(&level)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.names.split_whitespace()
    }
}

/// The reason that is listed for a request.
pub(super) fn reason(name: &str, applies: impl Fn(&Explained) -> bool) -> Option<&'static str> {
    let listed = EXPLAINED.iter().find(|explained| applies(explained) && explained.names().any(|known| known == name));
    listed.map(|explained| explained.reason)
}

const LINE_END: &str = "libmodsecurity 3.0.9 leaves the line end in the headers of a part, so that 922110 refuses every charset; \
                        the rule set's tests say that it may not";
const DECODED: &str = "libmodsecurity decodes REQUEST_URI, which is documented to be as it was sent: 920220 then takes an encoded % \
                       for a broken one, and 920272 sees none";
const BROKEN: &str =
    "the body is broken; libmodsecurity then shows rules nothing of it, ours what was read before the error";

/// The list.
pub(super) const EXPLAINED: &[Explained] = &[
    Explained {
        generation: Generation::Four,
        levels: &[1, 4],
        names: "922110-5 922110-6 922110-12 922110-13 922110-14 922110-16 922110-17 922110-27 922110-30",
        reason: LINE_END,
    },
    Explained { generation: Generation::Three, levels: &[1, 4], names: "922110-2", reason: LINE_END },
    Explained {
        generation: Generation::Three,
        levels: &[1, 4],
        names: "920272-1 932140-1 932140-2 932140-4 932140-5 932140-6 932140-7 932140-8 932140-9 932140-10 932140-11 \
                932140-12 932140-13 932140-14 932140-15 932140-16 932140-17 932140-18 932140-19 932140-20 \
                932140-21 932140-22 932140-23 932140-24 932140-25 932140-26 932140-27 932140-28 932140-29 \
                932140-30 932140-31 932140-32 932140-33 932140-34 932140-35 932140-36 932140-37 932140-38 \
                932140-39 932140-40 932140-41 932140-42 932140-43 932140-44 932140-45 932140-46 932140-47 \
                932140-48 932140-49 932140-50 932140-51 932140-52 932140-53 932140-54 932140-55 932140-56 \
                932140-57 932140-58 932140-59 932140-60 932140-61 932140-62 932140-63 932140-64 932140-65 \
                932140-85 932140-86 932140-87 932140-88 932140-89 932140-90 932140-91 932140-92 932140-96 \
                932140-97 932140-98 932140-105 932140-106 932140-107 932140-108 932140-109 932140-110 932140-111 \
                932140-112 932140-114 932140-115 932140-116 932140-117 932140-120 932140-121 932140-123 \
                932140-124 932140-125 932140-129 932140-132 932140-134 932140-135 932140-136 932140-137 \
                932140-138 932140-139 932140-140 932140-141 932140-142 932140-143 932140-144 932140-145",
        reason: DECODED,
    },
    Explained { generation: Generation::Three, levels: &[4], names: "920230-1", reason: DECODED },
    Explained {
        generation: Generation::Four,
        levels: &[1, 4],
        names: "920100-16",
        reason: "the target is http://localhost, without a path; libmodsecurity takes all of it for the path, where RFC 9112 \
                 (3.2.2) and ours have /",
    },
    Explained { generation: Generation::Four, levels: &[1, 4], names: "922130-5", reason: BROKEN },
    Explained { generation: Generation::Four, levels: &[4], names: "932180-3", reason: BROKEN },
    Explained {
        generation: Generation::Four,
        levels: &[1, 4],
        names: "930140-13",
        reason: "the path holds .env, which is on the list of 930130; libmodsecurity 3.0.9 does not find it",
    },
    Explained {
        generation: Generation::Four,
        levels: &[4],
        names: "942130-5 942131-3 942131-5 942131-7 942190-44 942390-1 942520-3",
        reason: "libmodsecurity logs the first link of a chain with multiMatch also where the second does not match; it adds \
                 no score",
    },
];

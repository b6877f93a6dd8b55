//! What an operator found in a value.

/// The spans of a match, kept by the caller and used for one call after the other.
#[derive(Default)]
pub(crate) struct Captures {
    spans: [Option<(usize, usize)>; Self::GROUPS],
    fingerprint: Option<[u8; 8]>,
    wants_groups: bool,
    gave_up: bool,
}

impl Captures {
    /// `TX:0` to `TX:9`.
    pub(crate) const GROUPS: usize = 10;

    /// With `groups`, for a rule with `capture`: the groups of a pattern are looked for too, not only its span.
    pub(crate) fn want_groups(&mut self, groups: bool) {
        self.wants_groups = groups;
    }

    pub(super) fn wants_groups(&self) -> bool {
        self.wants_groups
    }

    /// Forgets the last match, but not whether an engine gave up.
    pub(crate) fn clear(&mut self) {
        self.spans = [None; Self::GROUPS];
        self.fingerprint = None;
    }

    pub(super) fn set(&mut self, group: usize, span: Option<(usize, usize)>) {
        self.spans[group] = span;
    }

    pub(super) fn set_fingerprint(&mut self, fingerprint: [u8; 8]) {
        self.fingerprint = Some(fingerprint);
    }

    pub(super) fn give_up(&mut self) {
        self.gave_up = true;
    }

    /// Where the match is in the value.
    pub(crate) fn span(&self) -> Option<(usize, usize)> {
        self.spans[0]
    }

    pub(crate) fn group_span(&self, group: usize) -> Option<(usize, usize)> {
        self.spans.get(group).copied().flatten()
    }

    /// What `TX:group` becomes; `value` is the one that was looked at. Of SQL injection the first is the fingerprint.
    pub(crate) fn group<'c>(&'c self, group: usize, value: &'c [u8]) -> Option<&'c [u8]> {
        if group == 0
            && let Some(fingerprint) = &self.fingerprint
        {
            return fingerprint.split(|&byte| byte == 0).next();
        }
        self.group_span(group).and_then(|(start, end)| value.get(start..end))
    }

    /// Whether a value cost an engine more steps than allowed since this was last asked: it is then unknown whether the
    /// rule matches, and the request must not pass.
    pub(crate) fn gave_up(&mut self) -> bool {
        std::mem::take(&mut self.gave_up)
    }
}

//! Sets of bytes: what a value holds, what a transformation waits for, what a pattern cannot do without.

/// A set of byte values.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct ByteSet([u64; 4]);

impl ByteSet {
    pub(crate) const EMPTY: Self = Self([0; 4]);
    pub(crate) const ALL: Self = Self([u64::MAX; 4]);

    /// The bytes of a list.
    pub(crate) const fn from_bytes(bytes: &[u8]) -> Self {
        let mut set = Self::EMPTY;
        let mut i = 0;
        while i < bytes.len() {
            set = set.with(bytes[i]);
            i += 1;
        }
        set
    }

    /// The bytes from `first` to `last`, both included.
    pub(crate) const fn from_range(first: u8, last: u8) -> Self {
        let mut set = Self::EMPTY;
        let mut byte = first as usize;
        while byte <= last as usize {
            set = set.with(byte as u8);
            byte += 1;
        }
        set
    }

    pub(crate) const fn with(mut self, byte: u8) -> Self {
        self.0[(byte >> 6) as usize] |= 1 << (byte & 63);
        self
    }

    pub(crate) const fn union(self, other: Self) -> Self {
        let (a, b) = (self.0, other.0);
        Self([a[0] | b[0], a[1] | b[1], a[2] | b[2], a[3] | b[3]])
    }

    pub(crate) const fn complement(self) -> Self {
        let a = self.0;
        Self([!a[0], !a[1], !a[2], !a[3]])
    }

    pub(crate) const fn without(self, other: Self) -> Self {
        let (a, b) = (self.0, other.0);
        Self([a[0] & !b[0], a[1] & !b[1], a[2] & !b[2], a[3] & !b[3]])
    }

    /// With small letters in the place of capital ones.
    pub(crate) const fn to_lowercase(self) -> Self {
        // All letters are in the same word, the small ones 32 places above.
        let capitals = self.0[1] & Self::from_range(b'A', b'Z').0[1];
        let mut words = self.0;
        words[1] = words[1] & !capitals | capitals << 32;
        Self(words)
    }

    /// The bytes that occur in a value.
    pub(crate) fn of(value: &[u8]) -> Self {
        // One store a byte into a table does not wait for the store before it, as setting bits in one word does.
        if value.len() > 96 {
            let mut seen = [false; 256];
            for &byte in value {
                seen[usize::from(byte)] = true;
            }
            let mut words = [0; 4];
            for (word, flags) in words.iter_mut().zip(seen.chunks_exact(64)) {
                *word = flags.iter().enumerate().fold(0, |bits, (i, &flag)| bits | (u64::from(flag) << i));
            }
            return Self(words);
        }
        // Four sets in turn, for the same reason.
        let mut sets = [[0_u64; 4]; 4];
        let mut quads = value.chunks_exact(4);
        for quad in &mut quads {
            for (set, &byte) in sets.iter_mut().zip(quad) {
                set[usize::from(byte >> 6)] |= 1 << (byte & 63);
            }
        }
        for (set, &byte) in sets.iter_mut().zip(quads.remainder()) {
            set[usize::from(byte >> 6)] |= 1 << (byte & 63);
        }
        sets.into_iter().fold(Self::EMPTY, |all, set| all.union(Self(set)))
    }

    pub(crate) const fn contains(&self, byte: u8) -> bool {
        self.0[(byte >> 6) as usize] & (1 << (byte & 63)) != 0
    }

    pub(crate) const fn intersects(&self, other: &Self) -> bool {
        let (a, b) = (&self.0, &other.0);
        (a[0] & b[0]) | (a[1] & b[1]) | (a[2] & b[2]) | (a[3] & b[3]) != 0
    }

    pub(crate) const fn is_subset(&self, of: &Self) -> bool {
        let (a, b) = (&self.0, &of.0);
        (a[0] & !b[0]) | (a[1] & !b[1]) | (a[2] & !b[2]) | (a[3] & !b[3]) == 0
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0[0] | self.0[1] | self.0[2] | self.0[3] == 0
    }

    /// How many bytes are in it.
    pub(crate) const fn len(&self) -> u32 {
        self.0[0].count_ones() + self.0[1].count_ones() + self.0[2].count_ones() + self.0[3].count_ones()
    }

    /// Its bytes in rising order.
    pub(crate) fn iter(self) -> impl Iterator<Item = u8> {
        (0..=u8::MAX).filter(move |&byte| self.contains(byte))
    }
}

impl std::fmt::Debug for ByteSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[{}]", self.iter().collect::<Vec<_>>().escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_edges_of_the_words_are_members() {
        let set = ByteSet::from_bytes(&[0, 63, 64, 127, 128, 191, 192, 255]);
        assert_eq!(set.iter().collect::<Vec<_>>(), [0, 63, 64, 127, 128, 191, 192, 255]);
        assert!(!set.contains(1));
        assert_eq!(set.len(), 8);
        assert_eq!(set.complement().len(), 248);
        assert_eq!(ByteSet::from_range(0, 255), ByteSet::ALL);
        assert_eq!(ByteSet::ALL.complement(), ByteSet::EMPTY);
    }

    proptest! {
        #[test]
        fn a_value_holds_exactly_its_bytes(value in proptest::collection::vec(any::<u8>(), 0..300)) {
            let set = ByteSet::of(&value);
            for byte in 0..=255 {
                prop_assert_eq!(set.contains(byte), value.contains(&byte));
                prop_assert_eq!(set.intersects(&ByteSet::from_bytes(&[byte])), value.contains(&byte));
            }
            prop_assert!(set.is_subset(&ByteSet::from_bytes(&value)) && ByteSet::from_bytes(&value).is_subset(&set));
            prop_assert_eq!(set.is_empty(), value.is_empty());
            prop_assert_eq!(set.to_lowercase(), ByteSet::of(&value.to_ascii_lowercase()));
        }
    }
}

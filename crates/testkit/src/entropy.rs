use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use letterkeep_model::Entropy;

/// The step of SplitMix64: 2^64 divided by the golden ratio, made odd.
const GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;

/// Repeatable chance (SplitMix64). **Never secret**: whoever knows the seed knows every byte, and one byte sequence
/// suffices to find the seed. It exists so that a failed test can be repeated.
///
/// Clones draw from the same sequence, so two of them never hand out the same bytes.
#[derive(Debug, Clone)]
pub struct SeededEntropy {
    state: Arc<AtomicU64>,
}

impl SeededEntropy {
    /// The sequence that belongs to `seed`.
    pub fn new(seed: u64) -> Self {
        Self { state: Arc::new(AtomicU64::new(seed)) }
    }

    /// The same source as the product takes it.
    pub fn shared(&self) -> Arc<dyn Entropy> {
        Arc::new(self.clone())
    }

    /// The next 64 bits.
    pub fn next_u64(&self) -> u64 {
        let mut z = self.state.fetch_add(GAMMA, Ordering::SeqCst).wrapping_add(GAMMA);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

impl Default for SeededEntropy {
    fn default() -> Self {
        Self::new(1)
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.next_u64().to_le_bytes()[..chunk.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_the_published_sequence() {
        // The first outputs of SplitMix64 for the seed 1234567, as in Vigna's reference and Rosetta Code.
        let entropy = SeededEntropy::new(1_234_567);
        let expected = [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        assert_eq!([entropy.next_u64(), entropy.next_u64(), entropy.next_u64()], expected);
    }

    #[test]
    fn the_same_seed_repeats_and_clones_do_not() {
        let bytes = |entropy: &SeededEntropy| (*entropy.shared()).bytes::<20>();
        let first = SeededEntropy::new(7);
        let clone = first.clone();
        assert_eq!(bytes(&first), bytes(&SeededEntropy::new(7)));
        assert_ne!(bytes(&first), bytes(&clone));
    }
}

//! Messages that are hashed together, in one buffer.

use std::ops::Range;

use alloy_primitives::B256;
use turnpike_keccak::keccak256_many;

/// Messages in one buffer, so that no message is allocated on its own.
#[derive(Debug, Default)]
pub(crate) struct Messages {
    bytes: Vec<u8>,
    /// End of each message in `bytes`.
    ends: Vec<usize>,
}

impl Messages {
    /// Appends the message that `write` writes.
    pub(crate) fn push(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.bytes);
        self.ends.push(self.bytes.len());
    }

    /// The messages, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let range = |(at, end): (usize, &usize)| -> Range<usize> {
            let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
            start..*end
        };
        self.ends.iter().enumerate().map(move |ends| &self.bytes[range(ends)])
    }

    /// Keccak-256 of each message, in order.
    pub(crate) fn hashes(&self) -> Vec<B256> {
        let messages: Vec<&[u8]> = self.iter().collect();
        let mut hashes = vec![[0; 32]; messages.len()];
        keccak256_many(&messages, &mut hashes);
        hashes.into_iter().map(B256::new).collect()
    }
}

#[cfg(test)]
mod tests {
    use alloy_primitives::keccak256;

    use super::*;

    #[test]
    fn messages_keep_their_order_and_bounds() {
        let all: Vec<Vec<u8>> = (0..40_u8).map(|at| vec![at; usize::from(at % 7) * 50]).collect();
        let mut messages = Messages::default();
        for message in &all {
            messages.push(|out| out.extend(message));
        }
        assert!(messages.iter().eq(all.iter().map(Vec::as_slice)));
        assert_eq!(messages.hashes(), all.iter().map(keccak256).collect::<Vec<_>>());
        assert!(Messages::default().hashes().is_empty());
    }
}

//! Feeds messages to the SIMD lanes of a backend and refills a lane when its message ends.

use core::array;

use crate::permutation::{RATE, STATE_WORDS, pad};

/// The states of `N` SIMD lanes, word by word: word `i` of lane `l` is `0[i][l]`.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct States<const N: usize>(pub(crate) [[u64; N]; STATE_WORDS]);

/// Absorbs a block in each of `N` SIMD lanes.
pub(crate) trait Sponge<const N: usize>: Copy {
    /// For each lane: clears the state where `keep` is 0 and keeps it where all bits of `keep` are
    /// set, adds the block, permutes.
    fn absorb(self, states: &mut States<N>, keep: &[u64; N], blocks: [&[u8; RATE]; N]);
}

/// Hashes `messages[i]` into `hashes[i]`; the lengths are equal.
pub(crate) fn hash_all<const N: usize>(
    sponge: impl Sponge<N>,
    messages: &[&[u8]],
    hashes: &mut [[u8; 32]],
) {
    let mut queue = messages.iter().zip(hashes);
    let mut states = States([[0; N]; STATE_WORDS]);
    let mut lanes: [Lane<'_>; N] = array::from_fn(|_| Lane::idle());
    loop {
        let mut keep = [u64::MAX; N];
        for (lane, keep) in lanes.iter_mut().zip(&mut keep) {
            if lane.hash.is_none()
                && let Some((message, hash)) = queue.next()
            {
                (lane.rest, lane.hash, *keep) = (message, Some(hash), 0);
            }
            lane.prepare();
        }
        if lanes.iter().all(|lane| lane.hash.is_none()) {
            return;
        }
        sponge.absorb(&mut states, &keep, array::from_fn(|index| lanes[index].block()));
        for (index, lane) in lanes.iter_mut().enumerate() {
            lane.advance(|word| states.0[word][index]);
        }
    }
}

/// One message on its way through the permutation.
struct Lane<'a> {
    /// Bytes that are not absorbed yet.
    rest: &'a [u8],
    /// The padded last block of the message, once `rest` is less than a block.
    tail: [u8; RATE],
    /// Destination of the hash; `None` if the lane has no message.
    hash: Option<&'a mut [u8; 32]>,
}

impl Lane<'_> {
    const fn idle() -> Self {
        Self { rest: &[], tail: [0; RATE], hash: None }
    }

    fn prepare(&mut self) {
        if self.hash.is_some() && self.rest.len() < RATE {
            pad(self.rest, &mut self.tail);
        }
    }

    fn block(&self) -> &[u8; RATE] {
        self.rest.first_chunk().unwrap_or(&self.tail)
    }

    /// Records that [`block`](Self::block) was absorbed; `word` reads the state after it.
    fn advance(&mut self, word: impl Fn(usize) -> u64) {
        if let Some((_, rest)) = self.rest.split_first_chunk::<RATE>() {
            self.rest = rest;
        } else if let Some(hash) = self.hash.take() {
            self.rest = &[];
            for (index, bytes) in hash.as_chunks_mut().0.iter_mut().enumerate() {
                *bytes = word(index).to_le_bytes();
            }
        }
    }
}

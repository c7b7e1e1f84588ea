use alloy_primitives::{B256, Bytes};

use crate::Dispute;

/// A move that answers a bisection with another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Of the answered bisection's segments, the one whose beginning is right and whose end is wrong; from 0.
    pub segment: u64,
    /// What is claimed within it.
    pub claims: Vec<B256>,
    /// The machine's last state, encoded, if the segment is a single block; else empty.
    pub final_state: Bytes,
}

impl From<&Answer> for Dispute::Answer {
    fn from(answer: &Answer) -> Self {
        Self {
            segment: answer.segment,
            claims: answer.claims.clone(),
            finalState: answer.final_state.clone(),
        }
    }
}

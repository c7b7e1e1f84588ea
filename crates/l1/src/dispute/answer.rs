//! Answers to a bisection.

use alloy_primitives::{B256, Bytes};

use crate::Dispute;

/// A move: picks a segment of the other side's bisection and divides it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BisectionAnswer {
    /// Index of the first segment with a wrong end in the answered bisection, from 0.
    pub segment: u64,
    /// Claims within the segment.
    pub claims: Vec<B256>,
    /// The machine's encoded last state if the segment is a single block; otherwise empty.
    pub final_state: Bytes,
}

impl From<&BisectionAnswer> for Dispute::Answer {
    fn from(answer: &BisectionAnswer) -> Self {
        Self {
            segment: answer.segment,
            claims: answer.claims.clone(),
            finalState: answer.final_state.clone(),
        }
    }
}

//! On a real L1, false outputs are rejected, and their proposer and defenders lose their bonds.
#![allow(unused_crate_dependencies)]

mod fixture;

use fixture::{Disturbance, EntryKind, TestChain};
use turnpike_adversary::Attack;

/// Attacks through a false oracle. The one-step proof reads the true inputs from L1 and disproves
/// them.
#[tokio::test(flavor = "multi_thread")]
async fn output_from_a_false_oracle_is_rejected() {
    let chain = TestChain::new().await;
    // With so few blocks the adversary would have to prove the last step, and L1 rejects that
    // proof.
    let short = chain.reject(Attack::State, EntryKind::Calldata, Disturbance::Nothing).await;
    assert_eq!((short.games, short.timed_out), (1, 1), "the adversary has no move left");
    // Behind more entries the bisection is a round longer.
    for _ in 0..3 {
        chain.post(EntryKind::Calldata).await;
    }
    // L1 knows the local inputs. Other inputs are loaded into its oracle: a preimage, a blob
    // element, a precompile result.
    for (attack, entry, loads) in [
        (Attack::State, EntryKind::Calldata, 0),
        (Attack::Decompression, EntryKind::Calldata, 1),
        (Attack::Decompression, EntryKind::Blob, 1),
        (Attack::Deposit, EntryKind::Deposit, 1),
        (Attack::Precompile, EntryKind::Precompile, 1),
        (Attack::Decompression, EntryKind::Garbage, 1),
        (Attack::Signature, EntryKind::Signature, 1),
    ] {
        let contest = chain.reject(attack, entry, Disturbance::Nothing).await;
        assert_eq!((contest.games, contest.proven), (1, 1), "{attack} loses by the step");
        assert_eq!(contest.loads, loads, "{attack}: words loaded into the oracle");
    }
}

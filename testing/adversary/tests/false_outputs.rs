//! On a real L1, whoever proposes a false output loses it, and every bond that is put up for it.
#![allow(unused_crate_dependencies)]

mod fixture;

use fixture::{Disturbance, Entry, World};
use turnpike_adversary::Kind;

/// Lies that are told by an oracle, of which the one step in question reads what L1 holds.
#[tokio::test(flavor = "multi_thread")]
async fn who_lies_about_what_l1_holds_loses() {
    let world = World::new().await;
    // Over so short a range it is the liar who would have to show the last step, and L1 refuses.
    let short = world.reject(Kind::State, Entry::Calldata, Disturbance::Nothing).await;
    assert_eq!((short.games, short.timed_out), (1, 1), "there is nothing left to be said");
    // Local inputs L1 knows itself. All else the oracle is shown: a preimage, a blob's element, or what a precompile answers.
    for (kind, entry, loads) in [
        (Kind::State, Entry::Calldata, 0),
        (Kind::Decompression, Entry::Calldata, 1),
        (Kind::Decompression, Entry::Blob, 1),
        (Kind::Deposit, Entry::Deposit, 1),
        (Kind::Precompile, Entry::Precompile, 1),
        (Kind::Decompression, Entry::Garbage, 1),
        (Kind::Signature, Entry::Signature, 1),
    ] {
        let contest = world.reject(kind, entry, Disturbance::Nothing).await;
        assert_eq!((contest.games, contest.proven), (1, 1), "{kind} is beaten by the step");
        assert_eq!(contest.loads, loads, "{kind}: words that L1 is shown");
    }
}

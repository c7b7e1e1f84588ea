//! On a real L1, whoever proposes a false output loses it, and every bond that is put up for it.
#![allow(unused_crate_dependencies)]

mod fixture;

use fixture::{Disturbance, Entry, World};
use turnpike_liar::Kind;

/// Lies that are told by an oracle, of which the one step in question reads what L1 holds.
#[tokio::test(flavor = "multi_thread")]
async fn who_lies_about_what_l1_holds_loses() {
    let world = World::new().await;
    // Over so short a range it is the liar who would have to show the last step, and L1 refuses.
    let short = world.reject(Kind::State, Entry::Calldata, Disturbance::Nothing).await;
    assert_eq!((short.games, short.timed_out), (1, 1), "there is nothing left to be said");
    for (kind, entry) in [
        (Kind::State, Entry::Calldata),
        (Kind::Decompression, Entry::Calldata),
        (Kind::Decompression, Entry::Blob),
        (Kind::Deposit, Entry::Deposit),
        (Kind::Precompile, Entry::Precompile),
        (Kind::Decompression, Entry::Garbage),
        (Kind::Signature, Entry::Signature),
    ] {
        let contest = world.reject(kind, entry, Disturbance::Nothing).await;
        assert_eq!((contest.games, contest.proven), (1, 1), "{kind} is beaten by the step");
    }
}

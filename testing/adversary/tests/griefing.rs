//! On a real L1, an honest output becomes final whoever challenges it, and challengers pay for it.
#![allow(unused_crate_dependencies)]

mod fixture;

use fixture::{Entry, World};
use turnpike_adversary::Kind;

#[tokio::test(flavor = "multi_thread")]
async fn whoever_challenges_what_is_true_loses() {
    let world = World::new().await;
    for (kind, entry) in [
        (Kind::State, Entry::Calldata),
        (Kind::Receipt, Entry::Calldata),
        (Kind::Deposit, Entry::Deposit),
        (Kind::Signature, Entry::Signature),
        (Kind::Decompression, Entry::Blob),
        (Kind::Precompile, Entry::Precompile),
        (Kind::Middle, Entry::Blob),
        (Kind::Exit, Entry::Garbage),
        (Kind::Step, Entry::Calldata),
        (Kind::Children, Entry::Calldata),
        (Kind::Silence, Entry::Calldata),
        (Kind::LastSecond, Entry::Calldata),
        (Kind::Many, Entry::Calldata),
    ] {
        let contest = world.uphold(kind, entry).await;
        let expected = if kind == Kind::Many { 3 } else { 1 };
        assert_eq!(contest.games, expected, "{kind}: games");
    }
}

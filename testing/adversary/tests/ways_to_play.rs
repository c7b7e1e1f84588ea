//! On a real L1, a false output is lost however it is defended.
#![allow(unused_crate_dependencies)]

mod fixture;

use fixture::{Disturbance, Entry, World};
use turnpike_adversary::Kind;

#[tokio::test(flavor = "multi_thread")]
async fn who_defends_what_is_false_loses_in_every_manner() {
    let world = World::new().await;
    // Over one entry alone it would be the liar who has to show the last step, and cannot.
    world.post(Entry::Calldata).await;
    for (kind, entry, games) in [
        (Kind::Receipt, Entry::Calldata, 1),
        (Kind::Middle, Entry::Blob, 1),
        (Kind::Exit, Entry::Deposit, 1),
        (Kind::Step, Entry::Precompile, 1),
        (Kind::Children, Entry::Calldata, 1),
        (Kind::Silence, Entry::Calldata, 0),
        (Kind::LastSecond, Entry::Calldata, 1),
        (Kind::Many, Entry::Calldata, 3),
    ] {
        let contest = world.reject(kind, entry, Disturbance::Nothing).await;
        assert_eq!(contest.games, games, "{kind}");
        let by_step = if kind == Kind::Children { 0 } else { games };
        assert!(contest.proven >= by_step, "{kind}: {} games by a step", contest.proven);
    }
    let puppet = world.reject(Kind::Puppet, Entry::Calldata, Disturbance::Nothing).await;
    assert!(puppet.games > 1 && puppet.proven >= 1, "an accomplice's challenge changes nothing");
    let reorg = world.reject(Kind::State, Entry::Blob, Disturbance::Reorg).await;
    assert_eq!(reorg.proven, 1, "L1 may forget moves");
}

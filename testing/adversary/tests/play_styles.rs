//! On a real L1, a false output is rejected in every style of defence.
#![allow(unused_crate_dependencies)]

mod fixture;

use fixture::{Disturbance, EntryKind, TestChain};
use turnpike_adversary::Attack;

#[tokio::test(flavor = "multi_thread")]
async fn defender_of_a_false_output_loses_in_every_style() {
    let chain = TestChain::new().await;
    // With fewer entries the adversary would have to prove the last step, which is impossible.
    for _ in 0..4 {
        chain.post(EntryKind::Calldata).await;
    }
    for (attack, entry, games) in [
        (Attack::Receipt, EntryKind::Calldata, 1),
        (Attack::Middle, EntryKind::Blob, 1),
        (Attack::Exit, EntryKind::Deposit, 1),
        (Attack::Step, EntryKind::Precompile, 1),
        (Attack::Children, EntryKind::Calldata, 1),
        (Attack::Silence, EntryKind::Calldata, 0),
        (Attack::LastSecond, EntryKind::Calldata, 1),
        (Attack::Many, EntryKind::Calldata, 3),
    ] {
        let contest = chain.reject(attack, entry, Disturbance::Nothing).await;
        assert_eq!(contest.games, games, "{attack}");
        let by_step = if attack == Attack::Children { 0 } else { games };
        assert!(contest.proven >= by_step, "{attack}: {} games by a step", contest.proven);
    }
    let puppet = chain.reject(Attack::Puppet, EntryKind::Calldata, Disturbance::Nothing).await;
    assert!(
        puppet.games > 1 && puppet.proven >= 1,
        "the puppet's challenge did not change the result"
    );
    let reorg = chain.reject(Attack::State, EntryKind::Blob, Disturbance::Reorg).await;
    assert_eq!(reorg.proven, 1, "the game survives a reorg of its moves");
}

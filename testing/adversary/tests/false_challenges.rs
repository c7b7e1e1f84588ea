//! On a real L1, a true output becomes final despite every challenge, and the challengers pay for
//! it.
#![allow(unused_crate_dependencies)]

mod fixture;

use fixture::{EntryKind, TestChain};
use turnpike_adversary::Attack;

#[tokio::test(flavor = "multi_thread")]
async fn challenger_of_a_true_output_loses() {
    let chain = TestChain::new().await;
    for (attack, entry) in [
        (Attack::State, EntryKind::Calldata),
        (Attack::Receipt, EntryKind::Calldata),
        (Attack::Deposit, EntryKind::Deposit),
        (Attack::Signature, EntryKind::Signature),
        (Attack::Decompression, EntryKind::Blob),
        (Attack::Precompile, EntryKind::Precompile),
        (Attack::Middle, EntryKind::Blob),
        (Attack::Exit, EntryKind::Garbage),
        (Attack::Step, EntryKind::Calldata),
        (Attack::Children, EntryKind::Calldata),
        (Attack::Silence, EntryKind::Calldata),
        (Attack::LastSecond, EntryKind::Calldata),
        (Attack::Many, EntryKind::Calldata),
        (Attack::Blocks, EntryKind::Calldata),
    ] {
        let contest = chain.uphold(attack, entry).await;
        let expected = if attack.takes_all_accounts() { 3 } else { 1 };
        assert_eq!(contest.games, expected, "{attack}: games");
    }
}

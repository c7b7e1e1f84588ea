//! On a real L1, a dispute over several entries of one L1 transaction is decided by the data of the
//! disputed block's own entry.
#![allow(unused_crate_dependencies)]

mod fixture;

use fixture::{Disturbance, EntryKind, TestChain};
use turnpike_adversary::Attack;
use turnpike_protocol::DataKind::{self, Blobs, Calldata};

/// The items of L1 transactions. The disputed block is in the last one.
const TRANSACTIONS: [&[DataKind]; 3] =
    [&[Calldata, Calldata], &[Blobs, Blobs], &[Blobs, Calldata, Blobs]];

#[tokio::test(flavor = "multi_thread")]
async fn false_output_over_entries_of_one_l1_transaction_is_rejected() {
    let chain = TestChain::new().await;
    // With fewer entries the adversary would have to prove the last step, which is impossible.
    for _ in 0..4 {
        chain.post(EntryKind::Calldata).await;
    }
    for kinds in TRANSACTIONS {
        let last = *chain.post_together(kinds).await.last().expect("entries");
        // The adversary claims that the last item holds another batch. L1 reads that item's bytes.
        let attack = Attack::Decompression;
        let contest = chain.reject_after(attack, last, Disturbance::Nothing).await;
        assert_eq!((contest.games, contest.proven, contest.loads), (1, 1, 1), "{kinds:?}");
        assert_eq!(contest.disputed, [last], "{kinds:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn true_output_over_entries_of_one_l1_transaction_is_upheld() {
    let chain = TestChain::new().await;
    for kinds in TRANSACTIONS {
        let entries = chain.post_together(kinds).await;
        let last = *entries.last().expect("entries");
        let contest = chain.uphold_after(Attack::Decompression, last).await;
        assert_eq!(contest.games, 1, "{kinds:?}");
        assert_eq!(contest.disputed, [last], "{kinds:?}");
    }
}

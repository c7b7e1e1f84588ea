//! Executes a block of the journal: recovers its signatures and compares every outcome.

use alloy_primitives::{Address, B64, B256};
use rayon::{
    iter::{IndexedParallelIterator as _, ParallelIterator as _},
    slice::ParallelSlice as _,
};
use turnpike_executor::{BlockOutcome, Chain};
use turnpike_protocol::{BlockInput, SignedTx, TxEnvelope, decode_transaction};
use turnpike_signers::{signers, with_hash};
use turnpike_storage::{JournalBlock, JournalTx, SealedEntry};

use crate::{
    Divergence,
    hashes::{hash_all, receipt_hashes},
};

/// Transactions of a block whose signers are recovered together.
const RECOVERED_AT_ONCE: usize = 64;

/// Whether to trust the senders that the journal names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Senders {
    /// Trust them: this node wrote the journal, and its checksums match.
    Known,
    /// Recover every sender from its signature.
    Recovered,
}

/// Executes the next block of `chain` and compares each outcome with the journal. After an error,
/// the chain may be ahead of the journal and must not be used.
pub fn run_block(
    chain: &mut Chain,
    block: &JournalBlock,
    senders: Senders,
) -> Result<BlockOutcome, Divergence> {
    let number = block.number;
    let wrong = |reason: String| Divergence::Block { block: number, reason };
    let next = chain.head().header.number + 1;
    if number != next {
        return Err(wrong(format!("block {next} is expected")));
    }
    let opening = &block.opening;
    let mut input = BlockInput::new(
        chain.config(),
        chain.head().parent,
        opening.origin,
        opening.time_ms,
        &opening.deposits,
        Vec::new(),
    )
    .map_err(|error| wrong(error.to_string()))?;
    input.transactions = recover(number, input.deposits.len(), &block.transactions, senders)?;
    let outcome = chain.execute(&input).map_err(|error| wrong(error.to_string()))?;
    check_outcomes(block, &input, &outcome)?;
    Ok(outcome)
}

/// Compares an executed block with its `Sealed` row.
pub fn check_sealed(sealed: &SealedEntry, found: &SealedEntry) -> Result<(), Divergence> {
    let differs = |field, expected: B256, found: B256| Divergence::Header {
        block: sealed.number,
        field,
        expected: expected.to_string(),
        found: found.to_string(),
    };
    if sealed.state_root != found.state_root {
        return Err(differs("stateRoot", sealed.state_root, found.state_root));
    }
    if sealed.hash != found.hash {
        return Err(differs("hash", sealed.hash, found.hash));
    }
    Ok(())
}

/// The block's transactions with their signers. `first` is the position of the first.
fn recover(
    block: u64,
    first: usize,
    transactions: &[JournalTx],
    senders: Senders,
) -> Result<Vec<SignedTx>, Divergence> {
    // Collected first, so that the error is always the first one.
    let recovered: Vec<_> = transactions
        .par_chunks(RECOVERED_AT_ONCE)
        .enumerate()
        .flat_map_iter(|(chunk, transactions)| {
            recover_together(block, first + chunk * RECOVERED_AT_ONCE, transactions, senders)
        })
        .collect();
    recovered.into_iter().collect()
}

fn recover_together(
    block: u64,
    first: usize,
    transactions: &[JournalTx],
    senders: Senders,
) -> Vec<Result<SignedTx, Divergence>> {
    let is_known = |sender: Address| senders == Senders::Known && sender != Address::ZERO;
    let decode = |(at, hash): (usize, B256)| {
        let tx = decode_transaction(&transactions[at].raw).map_err(|error| {
            let (index, reason) = (first + at, error.to_string());
            Divergence::Transaction { block, index, hash, reason }
        })?;
        Ok((at, hash, with_hash(tx, hash)))
    };
    let hashes = hash_all(&transactions.iter().map(|tx| &tx.raw).collect::<Vec<_>>());
    let decoded: Vec<Result<_, Divergence>> = hashes.into_iter().enumerate().map(decode).collect();
    let all = decoded.iter().flatten();
    let unknown = all.filter(|(at, ..)| !is_known(transactions[*at].sender));
    let mut signers = signers(unknown.map(|(.., tx)| tx));
    let mut check = |(at, hash, tx): (usize, B256, TxEnvelope)| {
        let JournalTx { raw, sender: expected } = &transactions[at];
        if is_known(*expected) {
            return Ok(SignedTx::new_unchecked(tx, *expected));
        }
        let signer = signers.next().expect("invariant: one for each transaction");
        let tx = SignedTx::with_recovered(tx, signer, raw);
        // Derived blocks may hold transactions with bad signatures. Execution skips them.
        let (expected, found) = (*expected, tx.signer().unwrap_or(Address::ZERO));
        if found != expected {
            let index = first + at;
            return Err(Divergence::Sender { block, index, hash, expected, found });
        }
        Ok(tx)
    };
    decoded.into_iter().map(|decoded| decoded.and_then(&mut check)).collect()
}

fn check_outcomes(
    block: &JournalBlock,
    input: &BlockInput,
    outcome: &BlockOutcome,
) -> Result<(), Divergence> {
    let input_hashes = input.deposits.iter().map(|tx| tx.tx_hash());
    let input_hashes: Vec<_> =
        input_hashes.chain(input.transactions.iter().map(SignedTx::hash)).collect();
    let mut skipped = outcome.skipped.iter().peekable();
    let mut executed = receipt_hashes(&outcome.transactions).into_iter();
    for (index, hash) in input_hashes.iter().enumerate() {
        let Some(expected) = block.outcomes.get(index).copied() else { break };
        let found = match skipped.next_if(|skipped| skipped.index == index) {
            Some(_) => None,
            None => executed.next(),
        };
        if expected != outcome_of(found.as_ref()) {
            return Err(Divergence::Outcome {
                block: block.number,
                index,
                hash: *hash,
                expected,
                found,
            });
        }
    }
    if block.outcomes.len() != input_hashes.len() {
        return Err(Divergence::OutcomeCount {
            block: block.number,
            expected: block.outcomes.len(),
            found: input_hashes.len(),
        });
    }
    Ok(())
}

/// The outcome of a transaction in the journal: the first bytes of its receipt's hash, or zero if
/// it was skipped.
pub fn outcome_of(receipt_hash: Option<&B256>) -> B64 {
    receipt_hash.map_or(B64::ZERO, |hash| B64::from_slice(&hash[..8]))
}

/// The outcomes of an executed block's transactions, in the order of the block's input.
pub fn outcomes(outcome: &BlockOutcome) -> Vec<B64> {
    let count = outcome.transactions.len() + outcome.skipped.len();
    let mut executed = receipt_hashes(&outcome.transactions).into_iter();
    let mut skipped = outcome.skipped.iter().peekable();
    let mut of = |index: usize| match skipped.next_if(|skipped| skipped.index == index) {
        Some(_) => outcome_of(None),
        None => {
            let ran = executed.next().expect("invariant: what was not skipped ran");
            outcome_of(Some(&ran))
        }
    };
    (0..count).map(&mut of).collect()
}

#[cfg(test)]
mod tests {
    use alloy_consensus::{SignableTransaction as _, TxLegacy, crypto::secp256k1::sign_message};
    use alloy_eips::eip2718::Encodable2718 as _;
    use alloy_primitives::keccak256;
    use turnpike_protocol::{Genesis, Origin};
    use turnpike_storage::{BlockOpening, BlockTimes};

    use super::*;

    fn block() -> JournalBlock {
        let origin = Origin { l1_time: 1_800_000_000, ..Origin::default() };
        let opening =
            BlockOpening { time_ms: 1_000 * origin.l1_time, origin, deposits: Vec::new() };
        let mut block = JournalBlock {
            number: 1,
            opening,
            transactions: Vec::new(),
            outcomes: Vec::new(),
            times: BlockTimes::default(),
            rows: 0..1,
            is_complete: true,
        };
        // The attributes transaction.
        let Err(Divergence::OutcomeCount { found: 1, .. }) =
            run_block(&mut chain(), &block, Senders::Recovered)
        else {
            panic!("an outcome is missing");
        };
        block.outcomes = vec![B64::repeat_byte(1)];
        let Err(Divergence::Outcome { found: Some(found), .. }) =
            run_block(&mut chain(), &block, Senders::Recovered)
        else {
            panic!("an outcome is wrong");
        };
        block.outcomes = vec![outcome_of(Some(&found))];
        block
    }

    fn chain() -> Chain {
        Chain::from_genesis(&Genesis::dev())
    }

    fn sealed(outcome: &BlockOutcome) -> SealedEntry {
        SealedEntry {
            number: outcome.header.number,
            hash: outcome.hash(),
            state_root: outcome.header.state_root,
        }
    }

    #[test]
    fn matching_block_is_accepted() {
        let outcome = run_block(&mut chain(), &block(), Senders::Recovered).expect("is right");
        let found = sealed(&outcome);
        assert_eq!(check_sealed(&found, &found), Ok(()));
    }

    #[test]
    fn first_difference_is_reported() {
        let right = block();
        let differs = |change: fn(&mut JournalBlock)| {
            let mut block = right.clone();
            change(&mut block);
            run_block(&mut chain(), &block, Senders::Recovered).expect_err("differs")
        };
        let skipped = differs(|block| block.outcomes[0] = B64::ZERO);
        assert!(
            matches!(skipped, Divergence::Outcome { block: 1, index: 0, found: Some(_), .. }),
            "{skipped}"
        );
        let more = differs(|block| block.outcomes.push(B64::ZERO));
        assert_eq!(more, Divergence::OutcomeCount { block: 1, expected: 2, found: 1 });
        let early = differs(|block| block.number = 2);
        assert!(matches!(early, Divergence::Block { block: 2, .. }), "{early}");
        let garbage = JournalTx { raw: vec![1, 2, 3].into(), sender: Address::ZERO };
        let mut block = right;
        block.transactions.push(garbage);
        let unread =
            run_block(&mut chain(), &block, Senders::Recovered).expect_err("no transaction");
        assert!(matches!(unread, Divergence::Transaction { block: 1, index: 1, .. }), "{unread}");
    }

    #[test]
    fn senders_keep_their_positions() {
        let journal_tx = |at: usize| {
            let tx = TxLegacy { nonce: at as u64, ..Default::default() };
            let (key, hash) = (keccak256([at as u8]), tx.signature_hash());
            let signature = sign_message(key, hash).expect("is a key");
            let sender = signature.recover_address_from_prehash(&hash).expect("is signed");
            JournalTx { raw: tx.into_signed(signature).encoded_2718().into(), sender }
        };
        let right: Vec<_> = (0..2 * RECOVERED_AT_ONCE + 9).map(journal_tx).collect();
        for wrong in [0, 7, RECOVERED_AT_ONCE, 2 * RECOVERED_AT_ONCE + 8] {
            let mut transactions = right.clone();
            let expected = Address::repeat_byte(0xee);
            let found = std::mem::replace(&mut transactions[wrong].sender, expected);
            // A missing sender is noticed even where the others are trusted.
            transactions[3].sender = Address::ZERO;
            let recovered = recover(1, 5, &right, Senders::Recovered).expect("is right");
            let signers = recovered.iter().map(|tx| tx.signer().expect("is signed"));
            assert!(signers.eq(right.iter().map(|tx| tx.sender)));
            let differs = |transactions: &[_], senders| match recover(1, 5, transactions, senders) {
                Err(Divergence::Sender { index, expected, found, .. }) => (index, expected, found),
                other => panic!("{other:?}"),
            };
            let at_three = (8, Address::ZERO, right[3].sender);
            assert_eq!(differs(&transactions, Senders::Known), at_three);
            let first = if wrong < 3 { (wrong + 5, expected, found) } else { at_three };
            assert_eq!(differs(&transactions, Senders::Recovered), first);
            transactions[3] = right[3].clone();
            assert_eq!(differs(&transactions, Senders::Recovered), (wrong + 5, expected, found));
            assert!(recover(1, 5, &transactions, Senders::Known).is_ok(), "trusted");
        }
    }

    #[test]
    fn state_root_is_reported_before_hash() {
        let outcome = run_block(&mut chain(), &block(), Senders::Recovered).expect("is right");
        let found = sealed(&outcome);
        let of = |change: fn(&mut SealedEntry)| {
            let mut sealed = found.clone();
            change(&mut sealed);
            match check_sealed(&sealed, &found) {
                Err(Divergence::Header { block: 1, field, .. }) => field,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(of(|sealed| sealed.hash = B256::ZERO), "hash");
        assert_eq!(of(|sealed| (sealed.state_root, sealed.hash) = Default::default()), "stateRoot");
    }
}

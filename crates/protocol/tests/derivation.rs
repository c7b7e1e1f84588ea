//! The rules of derivation, case by case.

use alloy_consensus::{SignableTransaction as _, TxEip1559};
use alloy_primitives::{Address, B256, Bytes, Signature, U256, hex};
use turnpike_protocol::{
    Batch, BatchBlock, BatchError, BatchFault, BatchLimits, ChainConfig, DataKind, Deposit,
    DepositHint, DeriveError, Derived, Effort, Entry, EntryBlocks, EntryData, Genesis, Parent,
    SignedTx, SourceHash, StateRootPrefix, TxEnvelope, calldata_hash, derive, mix_hash,
};

const KEY: [u8; 32] = hex!("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80");
const PARENT: Parent = Parent { number: 7, timestamp: 1_000, origin: Some(2) };

/// Limits of an encoder whose batches exceed the chain's limits.
const WIDE: BatchLimits = BatchLimits {
    blocks_max: usize::MAX,
    block_transactions_max: usize::MAX,
    deposits_max: usize::MAX,
    inflated_bytes_max: usize::MAX,
};

/// An entry under test, with everything that an honest reader of L1 provides.
#[derive(Clone)]
struct Case {
    batch: Batch,
    data: Option<Vec<u8>>,
    kind: DataKind,
    deposits: Vec<Deposit>,
    origin: u64,
    parent: Parent,
}

impl Case {
    fn new(blocks: Vec<BatchBlock>) -> Self {
        Self {
            batch: Batch { blocks, deposit_hints: Vec::new() },
            data: None,
            kind: DataKind::Calldata,
            deposits: Vec::new(),
            origin: 2,
            parent: PARENT,
        }
    }

    fn with_deposits(mut self, l1_blocks: &[u64], hints: &[(u8, u64)]) -> Self {
        self.deposits = (5..).zip(l1_blocks).map(|(index, block)| deposit(index, *block)).collect();
        self.batch.deposit_hints = hints
            .iter()
            .map(|(hash, log_index)| DepositHint {
                l1_block_hash: B256::repeat_byte(*hash),
                log_index: *log_index,
            })
            .collect();
        self
    }

    fn with_source<T>(&self, then: impl FnOnce(&ChainConfig, &EntryData<'_>) -> T) -> T {
        let encode = || self.batch.encode(WIDE, Effort::Fast).expect("encodes");
        let data = self.data.clone().unwrap_or_else(encode);
        let data = if self.kind == DataKind::None { Vec::new() } else { data };
        let entry = Entry {
            data_kind: self.kind,
            data_hash: if self.kind == DataKind::None { B256::ZERO } else { calldata_hash(&data) },
            deposit_count: 5 + self.deposits.len() as u64,
            ..entry(9, 1_100, self.origin)
        };
        let source = EntryData {
            entry: &entry,
            deposits_before: 5,
            origin: &entry_at(self.origin),
            data: &data,
            blob_hashes: &[],
            deposits: &self.deposits,
        };
        then(&Genesis::dev().config, &source)
    }

    fn derive(&self) -> Result<Derived, DeriveError> {
        self.with_source(|config, source| derive(config, self.parent, source))
    }

    /// Derives the entry and expects that its batch is skipped.
    fn fault(&self) -> BatchFault {
        let derived = self.derive().expect("derivation never fails");
        assert_eq!(derived.blocks.len(), 1, "a bad batch derives one block");
        assert_eq!(user_deposits(&derived).len(), self.deposits.len());
        assert!(derived.blocks[0].transactions.is_empty());
        derived.fault.expect("a fault")
    }
}

fn entry(index: u64, l1_time: u64, origin: u64) -> Entry {
    Entry {
        index,
        data_kind: DataKind::Calldata,
        data_hash: B256::ZERO,
        deposit_acc: B256::ZERO,
        deposit_count: 0,
        l1_block_number: index * 10,
        l1_time,
        l1_base_fee: U256::from(index + 1),
        l1_blob_base_fee: U256::from(1),
        l1_parent_hash: B256::with_last_byte(index as u8),
        origin,
    }
}

fn entry_at(index: u64) -> Entry {
    entry(index, 900 + index * 10, 0)
}

fn deposit(index: u64, l1_block_number: u64) -> Deposit {
    let mut data = [0u8; 73];
    data[31] = 9;
    data[66..72].copy_from_slice(&100_000u64.to_be_bytes()[2..]);
    Deposit {
        index,
        l1_block_number,
        from: Address::repeat_byte(1),
        to: Address::repeat_byte(2),
        version: U256::ZERO,
        opaque_data: Bytes::copy_from_slice(&data),
    }
}

fn block(timestamp: u64, deposit_count: u64, transactions: Vec<TxEnvelope>) -> BatchBlock {
    let state_root = (!transactions.is_empty()).then_some(StateRootPrefix::repeat_byte(7));
    BatchBlock { timestamp, deposit_count, state_root, transactions }
}

fn transfer(nonce: u64) -> TxEnvelope {
    let tx = TxEip1559 { chain_id: 4242, nonce, ..Default::default() };
    let signature =
        alloy_consensus::crypto::secp256k1::sign_message(B256::from(KEY), tx.signature_hash())
            .expect("signs");
    tx.into_signed(signature).into()
}

fn user_deposits(derived: &Derived) -> Vec<B256> {
    let depositor = turnpike_protocol::DEPOSITOR_ACCOUNT;
    let all = derived.blocks.iter().flat_map(|block| &block.deposits);
    all.map(|tx| tx.as_deposit().expect("a deposit"))
        .filter(|tx| tx.from != depositor)
        .map(|tx| tx.source_hash)
        .collect()
}

#[test]
fn batch_derives_its_blocks() {
    let case = Case::new(vec![
        block(1_000, 0, vec![transfer(0), transfer(1)]),
        block(1_005, 1, vec![]),
        block(1_005, 1, vec![transfer(2)]),
    ])
    .with_deposits(&[3, 3], &[(1, 4), (1, 6)]);
    let derived = case.derive().expect("derives");
    assert_eq!(derived.fault, None);
    let claimed = Some(StateRootPrefix::repeat_byte(7));
    assert_eq!(derived.claimed_state_roots, [claimed, None, claimed]);
    let shape: Vec<_> = derived
        .blocks
        .iter()
        .map(|b| (b.number, b.timestamp, b.deposits.len(), b.transactions.len()))
        .collect();
    assert_eq!(shape, [(8, 1_000, 0, 2), (9, 1_005, 1, 0), (10, 1_005, 1, 1)]);
    let names = [4, 6].map(|log_index| {
        SourceHash::User { l1_block_hash: B256::repeat_byte(1), log_index }.hash()
    });
    assert_eq!(user_deposits(&derived), names);
    assert!(derived.blocks[0].transactions.iter().all(|tx| tx.signer().is_ok()));
}

#[test]
fn new_origin_adds_one_attributes_transaction() {
    let mut case = Case::new(vec![block(1_000, 0, vec![]), block(1_000, 0, vec![])]);
    case.origin = 3;
    let derived = case.derive().expect("derives");
    let counts: Vec<_> = derived.blocks.iter().map(|block| block.deposits.len()).collect();
    assert_eq!(counts, [1, 0]);
    assert_eq!(derived.blocks[0].origin.l1_base_fee, U256::from(4));
    assert_ne!(mix_hash(&derived.blocks[0].origin, 8), mix_hash(&derived.blocks[0].origin, 9));
    // Block 1 always has an attributes transaction, because genesis has no origin.
    case.parent = Parent { number: 0, timestamp: 0, origin: None };
    assert_eq!(case.derive().expect("derives").blocks[0].deposits.len(), 1);
}

#[test]
fn forced_entry_derives_one_block_of_deposits() {
    let mut case = Case::new(vec![]).with_deposits(&[3, 4], &[]);
    case.kind = DataKind::None;
    let derived = case.derive().expect("derives");
    assert_eq!((derived.blocks.len(), derived.fault.as_ref()), (1, None));
    // The block takes the entry's time, and queue positions identify its deposits.
    assert_eq!(derived.blocks[0].timestamp, 1_100);
    assert_eq!(user_deposits(&derived), [5, 6].map(|index| SourceHash::Queue { index }.hash()));
    case.parent.timestamp = 5_000;
    assert_eq!(case.derive().expect("derives").blocks[0].timestamp, 5_000);
}

#[test]
fn malformed_data_is_skipped() {
    let mut case = Case::new(vec![]).with_deposits(&[3], &[(1, 1)]);
    case.data = Some(b"garbage".to_vec());
    assert!(matches!(case.fault(), BatchFault::Codec(_)));
    case.data = Some(Vec::new());
    assert!(matches!(case.fault(), BatchFault::Codec(_)));
    case.data = Some(vec![0; 96 * 1024 + 1]);
    assert!(matches!(case.fault(), BatchFault::TooLong(98_305)));
    assert!(matches!(Case::new(vec![]).fault(), BatchFault::NoBlock));
    let many = vec![block(1_000, 0, vec![]); 1_025];
    let too_many = BatchError::TooMany("blocks", 1_025);
    assert_eq!(Case::new(many).fault(), BatchFault::Codec(too_many));
}

#[test]
fn block_times_stay_between_origin_and_drift() {
    let fault = |times: &[u64]| {
        Case::new(times.iter().map(|time| block(*time, 0, vec![])).collect())
            .derive()
            .expect("derivation never fails")
            .fault
    };
    assert_eq!(fault(&[920, 1_700]), None);
    assert!(matches!(fault(&[919]), Some(BatchFault::Timestamp { block: 0, min: 920, .. })));
    assert!(matches!(
        fault(&[1_000, 1_701]),
        Some(BatchFault::Timestamp { block: 1, max: 1_700, .. })
    ));
    assert!(matches!(fault(&[1_010, 1_009]), Some(BatchFault::Timestamp { block: 1, .. })));
}

#[test]
fn block_times_never_precede_the_parent() {
    let posted = [920, 999, 999, 1_001];
    let case = Case::new(posted.map(|time| block(time, 0, vec![])).to_vec());
    let times = |parent| {
        let derived = Case { parent, ..case.clone() }.derive().expect("derivation never fails");
        assert_eq!(derived.fault, None);
        derived.blocks.iter().map(|block| block.timestamp).collect::<Vec<_>>()
    };
    assert_eq!(times(PARENT), [1_000, 1_000, 1_000, 1_001]);
    // The number of blocks does not depend on the parent's time.
    assert_eq!(times(Parent { timestamp: 5_000, ..PARENT }), [5_000; 4]);
    assert_eq!(times(Parent { timestamp: 0, ..PARENT }), posted);
}

#[test]
fn block_derived_alone_equals_the_block_derived_with_its_entry() {
    let blocks = vec![
        block(900, 1, vec![transfer(0)]),
        block(1_005, 0, vec![transfer(1), transfer(2)]),
        block(1_005, 2, vec![]),
    ];
    let mut case = Case::new(blocks).with_deposits(&[3, 3, 4], &[(1, 4), (1, 6), (2, 0)]);
    case.origin = 3;
    let forced = Case { kind: DataKind::None, ..case.clone() };
    let garbage = Case { data: Some(b"garbage".to_vec()), ..case.clone() };
    for case in [case, forced, garbage] {
        let all = case.derive().expect("derives").blocks;
        let mut parent = case.parent;
        let one = |index, parent| {
            case.with_source(|config, source| {
                let entry = EntryBlocks::open(config, source).expect("opens");
                assert_eq!(entry.len(), all.len());
                entry.block(index, parent, SignedTx::recover).expect("derives")
            })
        };
        for (index, block) in all.iter().enumerate() {
            assert_eq!(one(index, parent).as_ref(), Some(block));
            parent = block.as_parent();
        }
        assert_eq!(one(all.len(), parent), None);
        assert_eq!(one(usize::MAX, parent), None);
    }
}

#[test]
fn deposit_counts_sum_up_and_hints_increase() {
    let case = |l1: &[u64], hints: &[(u8, u64)]| {
        Case::new(vec![block(1_000, hints.len() as u64, vec![])]).with_deposits(l1, hints)
    };
    for (l1, hints) in [(&[3, 3][..], &[(1, 1)][..]), (&[3], &[(1, 1), (1, 2)]), (&[3], &[])] {
        let (expected, found) = (l1.len(), hints.len());
        let fault = BatchFault::DepositCount { expected, found };
        assert_eq!(case(l1, hints).fault(), fault);
    }
    for hints in [&[(1, 1), (1, 1)], &[(1, 2), (1, 1)], &[(1, 1), (2, 2)]] {
        assert!(matches!(case(&[3, 3], hints).fault(), BatchFault::DepositHints));
    }
    assert!(matches!(case(&[3, 4], &[(1, 1), (1, 2)]).fault(), BatchFault::DepositHints));
    assert_eq!(
        case(&[3, 4], &[(1, 9), (2, 0)]).derive().expect("derivation never fails").fault,
        None
    );
}

#[test]
fn transaction_without_signer_does_not_invalidate_its_batch() {
    let unsigned: TxEnvelope =
        TxEip1559::default().into_signed(Signature::new(U256::ZERO, U256::ZERO, false)).into();
    let case = Case::new(vec![block(1_000, 0, vec![unsigned, transfer(0)])]);
    let derived = case.derive().expect("derives");
    assert_eq!(derived.fault, None);
    let signed: Vec<_> =
        derived.blocks[0].transactions.iter().map(|tx| tx.signer().is_ok()).collect();
    assert_eq!(signed, [false, true]);
}

#[test]
fn arguments_outside_the_commitment_are_errors() {
    let config = Genesis::dev().config;
    let forced = Entry { data_kind: DataKind::None, ..entry(9, 1_100, 2) };
    let origin = entry_at(2);
    let honest = EntryData {
        entry: &forced,
        deposits_before: 0,
        origin: &origin,
        data: &[],
        blob_hashes: &[],
        deposits: &[],
    };
    assert!(derive(&config, PARENT, &honest).is_ok());
    let wrong_origin = entry_at(3);
    let wrong = EntryData { origin: &wrong_origin, ..honest.clone() };
    assert!(matches!(derive(&config, PARENT, &wrong), Err(DeriveError::Origin { .. })));
    let surplus = [deposit(0, 1)];
    let wrong = EntryData { deposits: &surplus, ..honest.clone() };
    assert!(matches!(derive(&config, PARENT, &wrong), Err(DeriveError::Deposits { .. })));
    let posted = entry(9, 1_100, 2);
    let wrong = EntryData { entry: &posted, data: b"other", ..honest };
    assert!(matches!(derive(&config, PARENT, &wrong), Err(DeriveError::DataHash { .. })));
}

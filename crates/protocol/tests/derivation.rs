//! The rules of derivation, case by case.

use alloy_consensus::{SignableTransaction as _, TxEip1559};
use alloy_primitives::{Address, B256, Bytes, Signature, U256, hex};
use turnpike_protocol::{
    Batch, BatchBlock, BatchError, BatchFault, BatchHead, BatchLimits, ChainConfig, DataKind,
    Deposit, DepositHint, DeriveError, Derived, Effort, Entry, EntryBlocks, EntryData, Genesis,
    Header, Load, Origin, Parent, SignedTx, SourceHash, StateRootPrefix, TxEnvelope, block_time,
    calldata_hash, derive, extra_data, mix_hash, time_ms,
};

const KEY: [u8; 32] = hex!("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80");
const PARENT: Parent = Parent { number: 7, time_ms: 1_000_000, origin: Some(2) };

/// Limits of an encoder whose batches exceed the chain's limits.
const WIDE: BatchLimits = BatchLimits {
    blocks_max: usize::MAX,
    block_transactions_max: usize::MAX,
    deposits_max: usize::MAX,
    inflated_bytes_max: usize::MAX,
    mixed_bytes_max: usize::MAX,
};

/// An entry under test, with everything that an honest reader of L1 provides.
#[derive(Clone)]
struct Case {
    batch: Batch,
    data: Option<Vec<u8>>,
    kind: DataKind,
    deposits: Vec<Deposit>,
    origin: u64,
    previous: Entry,
    l1_time: u64,
    parent: Parent,
}

impl Case {
    fn new(blocks: Vec<BatchBlock>) -> Self {
        Self {
            batch: Batch {
                head: BatchHead { first_deposit: 5, reference_time: 1_000 },
                blocks,
                deposit_hints: Vec::new(),
            },
            data: None,
            kind: DataKind::Calldata,
            deposits: Vec::new(),
            origin: 2,
            previous: Entry { deposit_count: 5, ..entry(8, 1_090, 2) },
            l1_time: 1_100,
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
            ..entry(9, self.l1_time, self.origin)
        };
        let source = EntryData {
            entry: &entry,
            previous: &self.previous,
            origin: &if self.origin == 8 { self.previous } else { entry_at(self.origin) },
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
        assert_eq!(derived.blocks.len(), 1, "a bad batch derives a tail block");
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
        origin_acc: B256::ZERO,
        offchain_time: 0,
    }
}

fn entry_at(index: u64) -> Entry {
    entry(index, 900 + index * 10, 0)
}

fn deposit(index: u64, l1_block_number: u64) -> Deposit {
    deposit_of(index, l1_block_number, 100_000)
}

fn deposit_of(index: u64, l1_block_number: u64, gas_limit: u64) -> Deposit {
    let mut data = [0u8; 73];
    data[31] = 9;
    data[64..72].copy_from_slice(&gas_limit.to_be_bytes());
    Deposit {
        index,
        l1_block_number,
        from: Address::repeat_byte(1),
        to: Address::repeat_byte(2),
        version: U256::ZERO,
        opaque_data: Bytes::copy_from_slice(&data),
    }
}

fn block(step_ms: u64, deposit_count: u64, transactions: Vec<TxEnvelope>) -> BatchBlock {
    let state_root = (!transactions.is_empty()).then_some(StateRootPrefix::repeat_byte(7));
    BatchBlock { step_ms, deposit_count, state_root, transactions }
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

/// Number, time and counts of each block.
fn shape(derived: &Derived) -> Vec<(u64, u64, usize, usize)> {
    let blocks = derived.blocks.iter();
    blocks.map(|b| (b.number, b.time_ms, b.deposits.len(), b.transactions.len())).collect()
}

fn named(log_indices: &[u64]) -> Vec<B256> {
    let l1_block_hash = B256::repeat_byte(1);
    let name = |log_index: &u64| SourceHash::User { l1_block_hash, log_index: *log_index }.hash();
    log_indices.iter().map(name).collect()
}

fn queued(indices: &[u64]) -> Vec<B256> {
    indices.iter().map(|index| SourceHash::Queue { index: *index }.hash()).collect()
}

#[test]
fn batch_derives_its_blocks() {
    let case = Case::new(vec![
        block(0, 0, vec![transfer(0), transfer(1)]),
        block(5_007, 1, vec![]),
        block(0, 1, vec![transfer(2)]),
    ])
    .with_deposits(&[3, 3], &[(1, 4), (1, 6)]);
    let derived = case.derive().expect("derives");
    assert_eq!(derived.fault, None);
    let claimed = Some(StateRootPrefix::repeat_byte(7));
    assert_eq!(derived.claimed_state_roots, [claimed, None, claimed]);
    let blocks = [(8, 1_000_000, 0, 2), (9, 1_005_007, 1, 0), (10, 1_005_007, 1, 1)];
    assert_eq!(shape(&derived), blocks);
    assert_eq!(user_deposits(&derived), named(&[4, 6]));
    let signers = derived.blocks[0].transactions.iter().cloned().map(SignedTx::recover);
    assert!(signers.into_iter().all(|tx| tx.signer().is_ok()));
}

#[test]
fn new_origin_adds_one_attributes_transaction() {
    let mut case = Case::new(vec![block(0, 0, vec![]), block(0, 0, vec![])]);
    case.origin = 3;
    let derived = case.derive().expect("derives");
    let counts: Vec<_> = derived.blocks.iter().map(|block| block.deposits.len()).collect();
    assert_eq!(counts, [1, 0]);
    assert_eq!(derived.blocks[0].origin.l1_base_fee, U256::from(4));
    assert_ne!(mix_hash(&derived.blocks[0].origin, 8), mix_hash(&derived.blocks[0].origin, 9));
    // Block 1 always has an attributes transaction, because genesis has no origin.
    case.parent = Parent { number: 0, time_ms: 0, origin: None };
    assert_eq!(case.derive().expect("derives").blocks[0].deposits.len(), 1);
}

#[test]
fn forced_entry_derives_tail_blocks_of_deposits() {
    let mut case = Case::new(vec![]).with_deposits(&[3, 4], &[]);
    case.kind = DataKind::None;
    let derived = case.derive().expect("derives");
    // The block takes the entry's time, and queue positions identify its deposits.
    assert_eq!((shape(&derived), derived.fault.as_ref()), (vec![(8, 1_100_000, 2, 0)], None));
    assert_eq!(user_deposits(&derived), queued(&[5, 6]));
    case.parent.time_ms = 5_000_001;
    assert_eq!(case.derive().expect("derives").blocks[0].time_ms, 5_000_001);
    // Without deposits, there is still a block.
    case.deposits.clear();
    assert_eq!(case.derive().expect("derives").blocks.len(), 1);
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
    let many = vec![block(0, 0, vec![]); 233];
    let too_many = BatchError::TooMany("blocks", 233);
    assert_eq!(Case::new(many).fault(), BatchFault::Codec(too_many));
    let mixed = Case::new(vec![block(0, 0, vec![creation(65_536)])]);
    assert_eq!(mixed.derive().expect("derives").fault, None);
    let mixed = Case::new(vec![block(0, 0, vec![creation(65_537)])]);
    let too_many = BatchError::TooMany("mixed bytes", 65_537);
    assert_eq!(mixed.fault(), BatchFault::Codec(too_many));
}

fn creation(bytes: usize) -> TxEnvelope {
    let tx = TxEip1559 { input: vec![0; bytes].into(), ..Default::default() };
    tx.into_signed(Signature::test_signature()).into()
}

#[test]
fn old_origin_is_a_fault_unless_it_is_the_newest_that_the_batcher_knew() {
    let age_max = Genesis::dev().config.origin_age_max;
    let mut case = Case::new(vec![block(0, 0, vec![])]);
    case.l1_time = entry_at(2).l1_time + age_max;
    assert_eq!(case.derive().expect("derives").fault, None);
    case.l1_time += 1;
    assert_eq!(case.fault(), BatchFault::OriginAge { age: age_max + 1, max: age_max });
    // The entry before is never too old, nor the one before a forced one.
    let previous = Entry { data_kind: DataKind::None, ..case.previous };
    let mut behind_forced = Case { previous, ..case.clone() };
    assert_eq!(behind_forced.fault(), BatchFault::OriginAge { age: age_max + 1, max: age_max });
    behind_forced.origin = 7;
    behind_forced.l1_time = entry_at(7).l1_time + 1_000_000;
    assert_eq!(behind_forced.derive().expect("derives").fault, None);
    case.origin = 8;
    case.l1_time += 1_000_000;
    assert_eq!(case.derive().expect("derives").fault, None);
}

#[test]
fn block_time_is_clamped_between_origin_and_drift() {
    let config = Genesis::dev().config;
    let origin = Origin { l1_time: 920, ..Origin::default() };
    let time = |parent_ms, step_ms| block_time(&config, parent_ms, &origin, 1_100, step_ms);
    for (parent_ms, step_ms, expected) in [
        (1_000_000, 7, 1_000_007),
        (1_000_000, 0, 1_000_000),
        (919_000, 999, 920_000),
        (919_000, 1_001, 920_001),
        (1_000_000, 700_000, 1_700_000),
        (1_000_000, 700_001, 1_700_000),
        // A parent after the bound moves the bound.
        (1_700_001, 0, 1_700_001),
        (1_700_001, 5, 1_700_001),
        (u64::MAX, 5, u64::MAX),
        (5, u64::MAX, 1_700_000),
    ] {
        assert_eq!(time(parent_ms, Some(step_ms)), expected, "{parent_ms} + {step_ms}");
    }
    for (parent_ms, expected) in [(0, 1_100_000), (1_100_001, 1_100_001), (u64::MAX, u64::MAX)] {
        assert_eq!(time(parent_ms, None), expected);
    }
    // An entry before its origin's time, which only a broken L1 has, and times that overflow.
    let late = Origin { l1_time: 1_200, ..origin };
    assert_eq!(block_time(&config, 0, &late, 1_100, None), 1_200_000);
    let end = Origin { l1_time: u64::MAX, ..origin };
    assert_eq!(block_time(&config, 0, &end, u64::MAX, Some(1)), u64::MAX);
}

#[test]
fn batch_behind_an_unexpected_entry_keeps_the_distances_of_its_blocks() {
    let steps = [100, 100, 250];
    let case = Case::new(steps.map(|step| block(step, 0, vec![])).to_vec());
    let times = |parent_ms| {
        let parent = Parent { time_ms: parent_ms, ..PARENT };
        let derived = Case { parent, ..case.clone() }.derive().expect("derivation never fails");
        assert_eq!(derived.fault, None);
        derived.blocks.iter().map(|block| block.time_ms).collect::<Vec<_>>()
    };
    assert_eq!(times(1_000_000), [1_000_100, 1_000_200, 1_000_450]);
    assert_eq!(times(1_100_000), [1_100_100, 1_100_200, 1_100_450]);
    // The number of blocks does not depend on the parent's time.
    assert_eq!(times(0), [920_000, 920_100, 920_350]);
    assert_eq!(times(5_000_000), [5_000_000; 3]);
}

#[test]
fn block_derived_alone_equals_the_block_derived_with_its_entry() {
    let blocks = vec![
        block(0, 1, vec![transfer(0)]),
        block(100_005, 0, vec![transfer(1), transfer(2)]),
        block(0, 1, vec![]),
    ];
    let mut case = Case::new(blocks).with_deposits(&[3, 3, 4], &[(1, 4), (1, 6)]);
    case.origin = 3;
    let forced = Case { kind: DataKind::None, ..case.clone() };
    let garbage = Case { data: Some(b"garbage".to_vec()), ..case.clone() };
    for (case, count) in [(case, 4), (forced, 1), (garbage, 1)] {
        let all = case.derive().expect("derives").blocks;
        assert_eq!(all.len(), count);
        let mut parent = case.parent;
        let one = |index, parent| {
            case.with_source(|config, source| {
                let entry = EntryBlocks::open(config, source).expect("opens");
                assert_eq!(entry.len(), all.len());
                entry.block(index, parent).expect("derives")
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

/// The deposits of each block, without attributes.
fn taken(derived: &Derived) -> Vec<usize> {
    derived.blocks.iter().map(|block| block.deposits.len()).collect()
}

#[test]
fn deposit_counts_are_clamped_to_what_the_entry_consumes() {
    // The batch counts from deposit `first` on, and its blocks count `counts` deposits.
    let taken = |first: u64, counts: &[u64], consumed: usize| {
        let blocks = counts.iter().map(|count| block(1, *count, vec![])).collect();
        let hints: Vec<_> = (0..counts.iter().sum()).map(|i| (1, i)).collect();
        let mut case = Case::new(blocks).with_deposits(&vec![3; consumed], &hints);
        case.batch.head.first_deposit = first;
        let derived = case.derive().expect("derives");
        assert_eq!(derived.fault, None);
        taken(&derived)
    };
    assert_eq!(taken(5, &[1, 2], 3), [1, 2]);
    // The entry consumes more than the batch counts: tail blocks take the rest.
    assert_eq!(taken(5, &[1, 2], 5), [1, 2, 2]);
    // An earlier entry took some that the batch counts: the blocks do not take them again.
    assert_eq!(taken(3, &[1, 2], 3), [0, 1, 2]);
    assert_eq!(taken(3, &[1, 2, 1], 2), [0, 1, 1]);
    assert_eq!(taken(0, &[1, 2], 1), [0, 0, 1]);
    // Deposits before the batch's own first one go into its first block.
    assert_eq!(taken(7, &[1, 1], 4), [3, 1]);
    assert_eq!(taken(u64::MAX, &[1, 1], 2), [2, 0]);
    // The entry consumes fewer than the batch counts.
    assert_eq!(taken(5, &[2, 2], 3), [2, 1]);
    assert_eq!(taken(5, &[2, 2], 0), [0, 0]);
}

#[test]
fn gas_limits_of_deposits_cut_blocks() {
    const LARGE: u64 = 1 << 24;
    let deposits =
        |gas: &[u64]| (5..).zip(gas).map(|(i, gas)| deposit_of(i, 3, *gas)).collect::<Vec<_>>();
    let mut case = Case::new(vec![block(1, 20, vec![transfer(0)]), block(1, 0, vec![])]);
    case.batch.deposit_hints = vec![DepositHint::default(); 20];
    // 14 of the largest fit a block.
    case.deposits = deposits(&[LARGE; 20]);
    assert_eq!(taken(&case.derive().expect("derives")), [14, 6]);
    case.deposits = deposits(&[LARGE; 43]);
    assert_eq!(taken(&case.derive().expect("derives")), [14, 6, 14, 9]);
    let per_block = Genesis::dev().config.deposit_gas_per_block;
    let exact = per_block - 14 * LARGE;
    let gas = [&[LARGE; 14][..], &[exact, 21_000]].concat();
    case.deposits = deposits(&gas);
    case.batch.blocks.truncate(1);
    assert_eq!(taken(&case.derive().expect("derives")), [15, 1]);
    case.deposits = deposits(&[&[LARGE; 14][..], &[exact + 1, 21_000]].concat());
    assert_eq!(taken(&case.derive().expect("derives")), [14, 2]);
    // A forced entry with as many deposits as an entry takes stays within the tail blocks.
    case.kind = DataKind::None;
    case.deposits = deposits(&[LARGE; 256]);
    let most = taken(&case.derive().expect("derives"));
    assert_eq!((most.len(), most.iter().sum::<usize>()), (19, 256));
    // The portal takes no larger deposit, but derivation is total.
    case.deposits = deposits(&[u64::MAX, u64::MAX, 1]);
    assert_eq!(taken(&case.derive().expect("derives")), [1, 1, 1]);
}

#[test]
fn hints_name_deposits_together_or_not_at_all() {
    let case = |first: u64, l1: &[u64], hints: &[(u8, u64)]| {
        let mut case = Case::new(vec![block(0, hints.len() as u64, vec![])]);
        case.batch.head.first_deposit = first;
        user_deposits(&case.with_deposits(l1, hints).derive().expect("derives"))
    };
    assert_eq!(case(5, &[3, 3], &[(1, 1), (1, 2)]), named(&[1, 2]));
    for hints in [[(1, 1), (1, 1)], [(1, 2), (1, 1)], [(1, 1), (2, 2)]] {
        assert_eq!(case(5, &[3, 3], &hints), queued(&[5, 6]));
    }
    assert_eq!(case(5, &[3, 4], &[(1, 1), (1, 2)]), queued(&[5, 6]));
    assert_ne!(case(5, &[3, 4], &[(1, 9), (2, 0)]), queued(&[5, 6]));
    // Positions in the queue name deposits without a hint.
    let mixed = |with: &[u64], without: &[u64]| [named(with), queued(without)].concat();
    assert_eq!(case(5, &[3, 3, 3], &[(1, 1), (1, 2)]), mixed(&[1, 2], &[7]));
    assert_eq!(case(6, &[3, 3], &[(1, 1)]), [queued(&[5]), named(&[1])].concat());
    assert_eq!(case(9, &[3, 3], &[(1, 1)]), queued(&[5, 6]));
    // Hints of deposits that an earlier entry took are not looked at.
    assert_eq!(case(3, &[3, 3], &[(1, 9), (1, 9), (1, 1), (1, 2)]), named(&[1, 2]));
    assert_eq!(case(3, &[3, 3], &[(1, 0), (1, 1), (1, 3), (1, 2)]), queued(&[5, 6]));
}

#[test]
fn transaction_without_signer_does_not_invalidate_its_batch() {
    let unsigned: TxEnvelope =
        TxEip1559::default().into_signed(Signature::new(U256::ZERO, U256::ZERO, false)).into();
    let case = Case::new(vec![block(0, 0, vec![unsigned, transfer(0)])]);
    let derived = case.derive().expect("derives");
    assert_eq!(derived.fault, None);
    let block = derived.blocks[0].clone().map_transactions(SignedTx::recover);
    let signed: Vec<_> = block.transactions.iter().map(|tx| tx.signer().is_ok()).collect();
    assert_eq!(signed, [false, true]);
}

#[test]
fn arguments_outside_the_commitment_are_errors() {
    let config = Genesis::dev().config;
    let forced = Entry { data_kind: DataKind::None, ..entry(9, 1_100, 2) };
    let (origin, previous) = (entry_at(2), entry_at(8));
    let honest = EntryData {
        entry: &forced,
        previous: &previous,
        origin: &origin,
        data: &[],
        blob_hashes: &[],
        deposits: &[],
    };
    assert!(derive(&config, PARENT, &honest).is_ok());
    let wrong_origin = entry_at(3);
    let wrong = EntryData { origin: &wrong_origin, ..honest.clone() };
    assert!(matches!(derive(&config, PARENT, &wrong), Err(DeriveError::Origin { .. })));
    let wrong = EntryData { previous: &origin, ..honest.clone() };
    assert!(matches!(derive(&config, PARENT, &wrong), Err(DeriveError::Previous { .. })));
    let surplus = [deposit(0, 1)];
    let wrong = EntryData { deposits: &surplus, ..honest.clone() };
    assert!(matches!(derive(&config, PARENT, &wrong), Err(DeriveError::Deposits { .. })));
    let posted = entry(9, 1_100, 2);
    let wrong = EntryData { entry: &posted, data: b"other", ..honest };
    assert!(matches!(derive(&config, PARENT, &wrong), Err(DeriveError::DataHash { .. })));
}

#[test]
fn header_holds_the_time_in_milliseconds() {
    let bytes = |milliseconds: &str| format!("0x02{}{milliseconds}", "00".repeat(16));
    let genesis = Genesis::dev().header(B256::ZERO);
    assert_eq!(genesis.extra_data.to_string(), bytes("0000"));
    assert_eq!(extra_data(Load::default(), 1_800_000_000_999).to_string(), bytes("03e7"));
    for time in [0, 1, 999, 1_000, 1_800_000_000_100, u64::MAX] {
        let (timestamp, extra_data) = (time / 1_000, extra_data(Load { gas: 7, work: 8 }, time));
        assert_eq!(time_ms(&Header { timestamp, extra_data, ..Header::default() }), time);
    }
    // Headers that no rule of the chain makes.
    for extra_data in [Bytes::new(), Bytes::from_static(&[1; 18])] {
        assert_eq!(time_ms(&Header { timestamp: 7, extra_data, ..Header::default() }), 7_000);
    }
}

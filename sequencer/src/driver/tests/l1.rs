//! An L1 in memory: entries with the blocks that they derive, and deposits. It
//! can drop its newest ones.

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use turnpike_l1::{L1Head, PostedEntry, Reorg};
use turnpike_protocol::{
    Batch, BatchBlock, BatchHead, BlockInput, ChainConfig, DataKind, Deposit, DepositHint, Effort,
    Entry, EntryData, Origin, Parent, QueuedDeposit, SignedTx, TxEnvelope, calldata_hash,
    decode_transaction, derive,
};
use turnpike_storage::{Database, SealedInput};

use crate::tracker::{DerivedBlock, DerivedEntry, L1Event, L1Progress, known_blocks};

#[derive(Clone, Debug, PartialEq, Eq)]
enum L1Fact {
    Entry(Entry, Vec<DerivedBlock>),
    Deposit(QueuedDeposit),
}

#[derive(Debug)]
pub(super) struct FakeL1 {
    config: ChainConfig,
    genesis: Parent,
    events: Vec<L1Fact>,
    /// L1's height. It only grows, because after a reorg L1 has more blocks than before.
    height: u64,
    reported: Vec<L1Fact>,
}

impl FakeL1 {
    pub(super) fn new(config: ChainConfig, genesis: Parent) -> Self {
        let mut l1 = Self { config, genesis, events: Vec::new(), height: 0, reported: Vec::new() };
        l1.append(DataKind::None, 0, 0, Vec::new());
        l1
    }

    /// Reports everything again, to a sequencer that was just started.
    pub(super) fn forget_reported(&mut self) {
        self.reported.clear();
    }

    fn entries(&self) -> impl DoubleEndedIterator<Item = (&Entry, &[DerivedBlock])> {
        self.events.iter().filter_map(|event| match event {
            L1Fact::Entry(entry, blocks) => Some((entry, blocks.as_slice())),
            L1Fact::Deposit(_) => None,
        })
    }

    fn deposits(&self) -> Vec<QueuedDeposit> {
        let deposits = self.events.iter().filter_map(|event| match event {
            L1Fact::Deposit(deposit) => Some(deposit.clone()),
            L1Fact::Entry(..) => None,
        });
        deposits.collect()
    }

    /// All blocks derived from L1, in order.
    pub(super) fn blocks(&self) -> Vec<DerivedBlock> {
        self.entries().flat_map(|(_, blocks)| blocks.to_vec()).collect()
    }

    fn head(&self) -> Parent {
        self.blocks().last().map_or(self.genesis, |block| block.input.as_parent())
    }

    fn newest(&self) -> Entry {
        *self.entries().next_back().expect("entry 0").0
    }

    pub(super) const fn time(&self) -> u64 {
        self.genesis.time_ms / 1_000 + 12 * self.height
    }

    fn append(
        &mut self,
        data_kind: DataKind,
        deposit_count: u64,
        origin: u64,
        blocks: Vec<DerivedBlock>,
    ) {
        self.height += 1;
        let entry = Entry {
            index: self.entries().count() as u64,
            data_kind,
            data_hash: B256::ZERO,
            deposit_acc: B256::ZERO,
            deposit_count,
            l1_block_number: self.height,
            l1_time: self.time(),
            l1_base_fee: U256::from(7),
            l1_blob_base_fee: U256::from(1),
            l1_parent_hash: keccak256(self.height.to_be_bytes()),
            origin,
            origin_acc: B256::ZERO,
            offchain_time: 0,
        };
        self.events.push(L1Fact::Entry(entry, blocks));
    }

    pub(super) fn deposit(&mut self, to: Address) {
        self.deposit_from(Address::repeat_byte(0x77), to);
    }

    pub(super) fn deposit_from(&mut self, from: Address, to: Address) {
        self.height += 1;
        let mut opaque_data = U256::from(5).to_be_bytes_vec();
        opaque_data.extend(U256::from(5).to_be_bytes::<32>());
        opaque_data.extend(100_000u64.to_be_bytes());
        opaque_data.push(0);
        let deposit = Deposit {
            index: self.deposits().len() as u64,
            l1_block_number: self.height,
            from,
            to,
            version: U256::ZERO,
            opaque_data: opaque_data.into(),
        };
        let l1_block_hash = keccak256((self.height << 32).to_be_bytes());
        let hint = Some(DepositHint { l1_block_hash, log_index: 1 });
        self.events.push(L1Fact::Deposit(QueuedDeposit { deposit, hint }));
    }

    /// Posts the next blocks of a journal, as a batcher would. Returns false if the inbox would
    /// take none.
    pub(super) async fn post_own(&mut self, database: &Database, blocks_max: u32) -> bool {
        let parent = self.head();
        let next = database.sealed_blocks(parent.number + 1, blocks_max).await.expect("reads");
        let Some(origin) = next.first().map(|record| record.origin) else { return false };
        let known = self.entries().nth(usize::try_from(origin.entry).expect("small"));
        if known.map(|(entry, _)| Origin::from(entry)) != Some(origin) {
            return false;
        }
        let records: Vec<_> =
            next.into_iter().take_while(|record| record.origin == origin).collect();
        self.post_records(&records)
    }

    /// Posts a batch of these journal blocks, which share an origin. Returns false if they do not
    /// hold the deposits that wait.
    pub(super) fn post_records(&mut self, records: &[SealedInput]) -> bool {
        let (queue, mut deposits) = (self.deposits(), self.newest().deposit_count);
        let (mut parent, mut blocks) = (self.head(), Vec::new());
        for record in records {
            let from = usize::try_from(deposits).expect("small");
            let queued = queue.get(from..from + record.deposits.len());
            if queued != Some(record.deposits.as_slice()) {
                return false;
            }
            deposits += record.deposits.len() as u64;
            blocks.push(block_of(&self.config, parent, record.clone()));
            parent = blocks.last().expect("just pushed").input.as_parent();
        }
        self.append(DataKind::Calldata, deposits, records[0].origin.entry, blocks);
        true
    }

    /// Forces the first `count` waiting deposits. Returns false if none waits.
    pub(super) fn force(&mut self, count: usize) -> bool {
        let consumed = self.newest().deposit_count;
        let waiting = self.deposits().split_off(usize::try_from(consumed).expect("small"));
        let queued: Vec<_> = waiting
            .into_iter()
            .take(count)
            .map(|queued| QueuedDeposit { hint: None, ..queued })
            .collect();
        if queued.is_empty() {
            return false;
        }
        let count = consumed + queued.len() as u64;
        self.append_foreign(DataKind::None, count, queued, Vec::new());
        true
    }

    /// Posts an entry with one block of another batcher.
    pub(super) fn post_foreign(&mut self, transactions: Vec<SignedTx>) {
        let consumed = self.newest().deposit_count;
        self.append_foreign(DataKind::Calldata, consumed, Vec::new(), transactions);
    }

    fn append_foreign(
        &mut self,
        kind: DataKind,
        deposit_count: u64,
        queued: Vec<QueuedDeposit>,
        transactions: Vec<SignedTx>,
    ) {
        let (parent, newest) = (self.head(), self.newest());
        let time_ms = parent.time_ms.max(1_000 * (self.time() + 12));
        let origin = Origin::from(&newest);
        let transactions = transactions.iter().map(|tx| tx.envelope().clone()).collect();
        let input = BlockInput::new(&self.config, parent, origin, time_ms, &queued, transactions);
        let input = input.expect("valid deposits");
        self.append(kind, deposit_count, newest.index, vec![DerivedBlock { input, queued }]);
    }

    /// The blocks that a batch of these journal blocks derives as the next entry. The first of them
    /// follows a block of time `parent_ms`.
    pub(super) fn derive_batch(
        &self,
        parent_ms: u64,
        records: &[SealedInput],
    ) -> Vec<BlockInput<TxEnvelope>> {
        let data = encode_batch(&self.config, parent_ms, records);
        let previous = self.newest();
        let deposits: Vec<_> = self.deposits().into_iter().map(|queued| queued.deposit).collect();
        let before = usize::try_from(previous.deposit_count).expect("small");
        let ends = records.iter().flat_map(|record| &record.deposits);
        let ends = ends.map(|queued| queued.deposit.index + 1);
        let deposit_count = ends.fold(previous.deposit_count, u64::max);
        let after = usize::try_from(deposit_count).expect("small");
        let entry = Entry {
            index: previous.index + 1,
            data_kind: DataKind::Calldata,
            data_hash: calldata_hash(&data),
            deposit_count,
            l1_time: self.time() + 12,
            origin: records[0].origin.entry.max(previous.origin),
            ..previous
        };
        let origin = self.entries().nth(usize::try_from(entry.origin).expect("small"));
        let source = EntryData {
            entry: &entry,
            previous: &previous,
            origin: origin.expect("known").0,
            data: &data,
            blob_hashes: &[],
            deposits: &deposits[before..after],
        };
        let derived = derive(&self.config, self.head(), &source).expect("belongs together");
        assert_eq!(derived.fault, None);
        derived.blocks
    }

    /// Adds empty L1 blocks.
    pub(super) fn mine(&mut self, blocks: u64) {
        self.height += blocks;
    }

    /// Drops the last `depth` entries and deposits, but never the inbox's own entry.
    pub(super) fn reorg(&mut self, depth: usize) {
        self.events.truncate(self.events.len().saturating_sub(depth).max(1));
        self.height += 1;
    }

    /// The next event since the last call, as the tracker reports it. An entry is derived once the
    /// one before was handled.
    pub(super) async fn next_event(&mut self, database: &Database) -> L1Event {
        let same = self.events.iter().zip(&self.reported).take_while(|(a, b)| a == b).count();
        if same < self.reported.len() {
            self.reported.truncate(same);
            let entries = self.reported.iter().filter(|event| matches!(event, L1Fact::Entry(..)));
            let entries = entries.count() as u64;
            let deposits = self.reported.len() as u64 - entries;
            return L1Event::Reorg(Reorg { block: 0, entries, deposits, outputs: 1 });
        }
        let count_entries = |events: &[L1Fact]| {
            events.iter().filter(|event| matches!(event, L1Fact::Entry(..))).count()
        };
        let next = count_entries(&self.reported);
        let mut before = self.genesis.number;
        for (at, event) in self.events.iter().enumerate() {
            let L1Fact::Entry(entry, blocks) = event else { continue };
            let last_block = before + blocks.len() as u64;
            // The inbox's own entry derives nothing.
            if at >= self.reported.len()
                && entry.index > 0
                && count_entries(&self.events[..at]) >= next
            {
                self.reported = self.events[..=at].to_vec();
                let known = known_blocks(database, blocks).await.expect("reads");
                return L1Event::Entry(Box::new(DerivedEntry {
                    posted: PostedEntry {
                        entry: *entry,
                        acc: B256::ZERO,
                        content: B256::ZERO,
                        l1_transaction: B256::ZERO,
                    },
                    fault: None,
                    bytes: 0,
                    batch_bytes: 0,
                    transactions: 0,
                    first_block: before + 1,
                    last_block,
                    unknown: blocks[known..].to_vec(),
                }));
            }
            before = last_block;
        }
        self.reported = self.events.clone();
        let head =
            L1Head { number: self.height, hash: B256::ZERO, time: self.time(), finalized: None };
        L1Event::Progress(Box::new(L1Progress {
            head,
            last_read: self.height,
            first_entry: self.entries().next().map(|(entry, _)| *entry),
            deposits: self.deposits(),
            outputs: Vec::new(),
            disputes: std::sync::Arc::default(),
        }))
    }
}

/// A batch of journal blocks.
fn encode_batch(config: &ChainConfig, mut parent_ms: u64, records: &[SealedInput]) -> Vec<u8> {
    let queued: Vec<_> = records.iter().flat_map(|record| &record.deposits).collect();
    let first_deposit = queued.first().map_or(0, |queued| queued.deposit.index);
    let block = |record: &SealedInput| {
        let step_ms = record.time_ms - std::mem::replace(&mut parent_ms, record.time_ms);
        let decode = |raw: &Bytes| decode_transaction(raw).expect("decodes");
        BatchBlock {
            step_ms,
            deposit_count: record.deposits.len() as u64,
            transactions: record.transactions.iter().map(decode).collect(),
            ..BatchBlock::default()
        }
    };
    let batch = Batch {
        head: BatchHead { first_deposit, ..BatchHead::default() },
        blocks: records.iter().map(block).collect(),
        deposit_hints: queued.iter().map(|queued| queued.hint.expect("is named")).collect(),
    };
    batch.encode(config.batch_limits(), Effort::Fast).expect("fits")
}

/// The block of a journal record.
pub(super) fn block_of(config: &ChainConfig, parent: Parent, record: SealedInput) -> DerivedBlock {
    let SealedInput { time_ms, origin, deposits, transactions, .. } = record;
    let transactions =
        transactions.iter().map(|raw| decode_transaction(raw).expect("decodes")).collect();
    let input = BlockInput::new(config, parent, origin, time_ms, &deposits, transactions);
    DerivedBlock { input: input.expect("valid deposits"), queued: deposits }
}

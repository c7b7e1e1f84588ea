//! A rollup on an L1 in memory. Its node derives the entries that a test posts.
#![allow(dead_code, missing_debug_implementations, unreachable_pub)] // shared by several tests

use std::cell::Cell;

use alloy_consensus::{SignableTransaction as _, TxEip1559, crypto::secp256k1::sign_message};
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, address, b256, keccak256};
use turnpike_derivation::{DerivedChain, Follower};
use turnpike_executor::EngineConfig;
use turnpike_game::prove::{BlockPosition, Statement, statement_at};
use turnpike_l1::{
    L1View,
    memory::{L1Event, MemoryL1},
};
use turnpike_protocol::{
    Batch, BatchBlock, BatchHead, CHUNK_BYTES_MAX, DepositHint, Effort, Genesis, StateRootPrefix,
    TxEnvelope, pack_blobs,
};

const KEY: B256 = b256!("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80");
pub const ALICE: Address = address!("f39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
pub const BOB: Address = Address::repeat_byte(0xb0);

/// A lower bound of the L1 time of a test's first entry.
pub const TIME: u64 = 1_800_000_000;

/// A rollup and its L1.
pub struct Rollup {
    pub l1: MemoryL1,
    pub node: DerivedChain<MemoryL1>,
    nonce: u64,
    /// Deposits that batches have counted.
    consumed: Cell<u64>,
}

pub fn genesis() -> Genesis {
    let mut genesis = Genesis::dev();
    genesis.config.entry_bytes_max = 2 * CHUNK_BYTES_MAX as u64;
    genesis
}

/// A block to post.
pub struct Block {
    pub seconds: u64,
    pub deposits: u64,
    pub transactions: Vec<TxEnvelope>,
}

impl Rollup {
    /// A rollup on the development chain with longer calldata entries.
    pub fn new() -> Self {
        let genesis = &genesis();
        let follower = Follower::new(genesis, EngineConfig::default());
        let output = follower.head().output;
        let l1 = MemoryL1::new(genesis, &output);
        let node = DerivedChain::new(L1View::new(l1.clone(), 0, output), follower);
        Self { l1, node, nonce: 0, consumed: Cell::new(0) }
    }

    /// Alice's next transaction.
    pub fn transaction(&mut self, to: TxKind, input: impl Into<Bytes>, gas: u64) -> TxEnvelope {
        let tx = TxEip1559 {
            chain_id: 4242,
            nonce: self.nonce,
            gas_limit: gas,
            max_fee_per_gas: 1_000_000_000,
            to,
            value: U256::from(1),
            input: input.into(),
            ..Default::default()
        };
        self.nonce += 1;
        let signature = sign_message(KEY, tx.signature_hash()).expect("signs");
        tx.into_signed(signature).into()
    }

    pub fn transfer(&mut self) -> TxEnvelope {
        self.transaction(TxKind::Call(BOB), Bytes::new(), 21_000)
    }

    /// A block `seconds` after the one before, with this many deposits and transfers.
    pub fn block(&mut self, seconds: u64, transfers: u64, deposits: u64) -> Block {
        let transactions = (0..transfers).map(|_| self.transfer()).collect();
        Block { seconds, deposits, transactions }
    }

    /// A batch of these blocks behind all that were made before.
    pub fn batch(&self, blocks: Vec<Block>) -> (Vec<u8>, u64) {
        let first_deposit = self.consumed.get();
        let (data, deposits) = batch(first_deposit, blocks);
        self.consumed.set(first_deposit + deposits);
        (data, deposits)
    }

    pub fn calldata(&self, origin: u64, blocks: Vec<Block>) {
        let (data, deposits) = self.batch(blocks);
        self.l1.mine(&[L1Event::Calldata { data: data.into(), deposits, origin }]);
    }

    pub fn blobs(&self, origin: u64, blocks: Vec<Block>) {
        let (data, deposits) = self.batch(blocks);
        let data = pack_blobs(&data).expect("data fits the blobs").into();
        self.l1.mine(&[L1Event::Blobs { data, deposits, origin }]);
    }

    /// Queues deposits of one ether to Bob, all in one L1 block.
    pub fn deposit(&self, count: u64) {
        let opaque_data = deposit_data(10_u128.pow(18), 100_000, &[]);
        let deposit = L1Event::Deposit { from: ALICE, to: BOB, opaque_data };
        self.l1.mine(&vec![deposit; usize::try_from(count).expect("count fits usize")]);
    }

    pub async fn statement(&mut self, entry: u64, index: u64) -> Statement {
        self.node.advance().await.expect("L1 answers");
        statement_at(&mut self.node, BlockPosition { entry, index })
            .await
            .expect("the block is on L1")
    }
}

pub fn deposit_data(mint: u128, gas: u64, input: &[u8]) -> Bytes {
    let amount = U256::from(mint).to_be_bytes::<32>();
    [&amount, &amount, &gas.to_be_bytes()[..], &[0], input].concat().into()
}

/// Incompressible bytes.
pub fn noise(bytes: usize) -> Vec<u8> {
    (0u64..).flat_map(|seed| keccak256(seed.to_be_bytes()).0).take(bytes).collect()
}

/// A batch of these blocks, which counts deposits from `first_deposit` on, and the number of deposits that they consume, all from one L1 block.
pub fn batch(first_deposit: u64, blocks: Vec<Block>) -> (Vec<u8>, u64) {
    let deposits = blocks.iter().map(|block| block.deposits).sum();
    let hint = |log_index| DepositHint { l1_block_hash: B256::repeat_byte(7), log_index };
    let batch = Batch {
        head: BatchHead { first_deposit, ..BatchHead::default() },
        deposit_hints: (0..deposits).map(hint).collect(),
        blocks: blocks.into_iter().map(Block::posted).collect(),
    };
    let limits = Genesis::dev().config.batch_limits();
    (batch.encode(limits, Effort::Fast).expect("encodes"), deposits)
}

impl Block {
    fn posted(self) -> BatchBlock {
        let Self { seconds, deposits, transactions } = self;
        BatchBlock {
            step_ms: 1_000 * seconds,
            deposit_count: deposits,
            state_root: (!transactions.is_empty()).then(StateRootPrefix::default),
            transactions,
        }
    }
}

//! L1's contracts in an EVM of this process.

use alloy::sol_types::{SolCall, SolConstructor, SolEvent as _};
use alloy_primitives::{Address, B256, Bytes, Log, TxKind, U256};
use revm::{
    Context, ExecuteCommitEvm as _, MainBuilder as _, MainContext as _, MainnetEvm,
    context::{BlockEnv, CfgEnv, Journal, TxEnv, result::ExecutionResult},
    database::InMemoryDB,
    primitives::hardfork::SpecId,
    state::{AccountInfo, Bytecode},
};
use turnpike_l1::{Dispute, Inbox, Portal, PostedEntry, PreimageOracle, RiscvStep, Rollup};
use turnpike_protocol::{ChainConfig, DataKind, Entry, Header, OutputRoot};

/// Maximum gas of a transaction (EIP-7825).
const GAS_MAX: u64 = 1 << 24;

const BASE_FEE: u64 = 1_000_000_000;

pub(crate) const DEPLOYER: Address = Address::repeat_byte(0xd0);
pub(crate) const BATCHER: Address = Address::repeat_byte(0xba);
pub(crate) const PROPOSER: Address = Address::repeat_byte(0xbb);
pub(crate) const HONEST: Address = Address::repeat_byte(0xaa);
pub(crate) const LIAR: Address = Address::repeat_byte(0xee);

/// Deployed without its constructor. The constructor sets nothing and is slow, because it tries
/// every precompile.
const ORACLE: Address = Address::repeat_byte(0x0c);

type L1Context = Context<BlockEnv, TxEnv, CfgEnv, InMemoryDB, Journal<InMemoryDB>, ()>;

pub(crate) struct L1 {
    evm: MainnetEvm<L1Context>,
    config: ChainConfig,
    pub(crate) inbox: Address,
    pub(crate) rollup: Address,
    pub(crate) dispute: Address,
}

/// The result of a transaction.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) gas: u64,
    pub(crate) output: Bytes,
    pub(crate) logs: Vec<Log>,
}

impl L1 {
    pub(crate) fn new(config: &ChainConfig, genesis: &OutputRoot, time: u64) -> Self {
        let mut accounts = InMemoryDB::default();
        for account in [DEPLOYER, BATCHER, PROPOSER, HONEST, LIAR] {
            accounts.insert_account_info(account, AccountInfo::from_balance(U256::MAX >> 8));
        }
        let code = Bytecode::new_raw(PreimageOracle::DEPLOYED_BYTECODE.clone());
        accounts.insert_account_info(ORACLE, AccountInfo::from_bytecode(code));
        let context = Context::mainnet().with_db(accounts).modify_cfg_chained(|config| {
            config.set_spec_and_mainnet_gas_params(SpecId::OSAKA);
            config.disable_nonce_check = true;
        });
        let mut evm = context.build_mainnet();
        evm.ctx.block.number = U256::from(100);
        evm.ctx.block.timestamp = U256::from(time);
        evm.ctx.block.basefee = BASE_FEE;
        evm.ctx.block.gas_limit = GAS_MAX;
        let [portal, inbox, rollup, step, dispute] = [0, 1, 2, 3, 4].map(|i| DEPLOYER.create(i));
        let mut l1 = Self { evm, config: config.clone(), inbox, rollup, dispute };
        l1.deploy(genesis, portal, step);
        l1
    }

    fn deploy(&mut self, genesis: &OutputRoot, portal: Address, step: Address) {
        let Self { config, inbox, rollup, dispute, .. } = self;
        let (config, inbox, rollup, dispute) = (config.clone(), *inbox, *rollup, *dispute);
        let portal_config =
            Portal::PortalConfig { rollup, guardian: config.guardian, pauseMax: config.pause_max };
        let arguments = Portal::constructorCall { config: portal_config };
        self.create(portal, &Portal::BYTECODE, &arguments);
        let arguments = Inbox::constructorCall {
            chainConfigHash_: config.hash(genesis.block_hash),
            portal_: portal,
            batcher_: BATCHER,
            config: Inbox::InboxConfig {
                forceWindow: config.force_window,
                depositsPerEntryMax: config.entry_deposits_max,
                originAgeMax: config.origin_age_max,
                entryBytesMax: config.entry_bytes_max,
                entryBlobsMax: config.entry_blobs_max,
                entriesPerL1BlockMax: config.entries_per_l1_block_max,
                keyAdmin: config.key_admin,
                keyDelay: config.key_delay,
            },
        };
        self.create(inbox, &Inbox::BYTECODE, &arguments);
        let arguments = Rollup::constructorCall {
            inbox_: inbox,
            dispute_: dispute,
            genesisOutputRoot: genesis.hash(),
            config: Rollup::RollupConfig {
                challengeWindow: config.challenge_window,
                entriesPerOutputMax: config.output_entries_max,
                proposerBond: config.proposer_bond,
            },
        };
        self.create(rollup, &Rollup::BYTECODE, &arguments);
        let arguments = RiscvStep::constructorCall { oracle_: ORACLE };
        self.create(step, &RiscvStep::BYTECODE, &arguments);
        let arguments = Dispute::constructorCall {
            rollup_: rollup,
            riscvStep_: step,
            config: Dispute::DisputeConfig {
                blocksPerEntryMax: config.blocks_per_entry_max(),
                gameBond: config.game_bond,
                gameClock: config.game_clock.try_into().expect("clock fits its type"),
                gameIncrement: config.game_increment.try_into().expect("increment fits its type"),
            },
        };
        self.create(dispute, &Dispute::BYTECODE, &arguments);
    }

    fn create(&mut self, at: Address, code: &Bytes, arguments: &impl SolConstructor) {
        let data = [&code[..], &arguments.abi_encode()].concat().into();
        match self.transact(DEPLOYER, TxKind::Create, U256::ZERO, data) {
            ExecutionResult::Success { output, .. } => assert_eq!(output.address(), Some(&at)),
            failed => panic!("{failed:?}"),
        }
    }

    fn transact(
        &mut self,
        caller: Address,
        kind: TxKind,
        value: U256,
        data: Bytes,
    ) -> ExecutionResult {
        let (gas_limit, gas_price) = (GAS_MAX, u128::from(BASE_FEE));
        let tx = TxEnv { caller, kind, value, data, gas_limit, gas_price, ..TxEnv::default() };
        self.evm.transact_commit(tx).expect("valid transaction")
    }

    /// Sends a transaction. Returns the revert data if it reverts.
    pub(crate) fn send<C: SolCall>(
        &mut self,
        from: Address,
        to: Address,
        value: U256,
        call: &C,
    ) -> Result<Sent, Bytes> {
        self.send_raw(from, to, value, call.abi_encode().into())
    }

    pub(crate) fn send_raw(
        &mut self,
        from: Address,
        to: Address,
        value: U256,
        data: Bytes,
    ) -> Result<Sent, Bytes> {
        match self.transact(from, TxKind::Call(to), value, data) {
            ExecutionResult::Success { gas, logs, output, .. } => {
                Ok(Sent { gas: gas.tx_gas_used(), output: output.into_data(), logs })
            }
            ExecutionResult::Revert { output, .. } => Err(output),
            halted @ ExecutionResult::Halt { .. } => panic!("{halted:?}"),
        }
    }

    /// Loads the preimage that a step reads into the preimage oracle.
    pub(crate) fn load(&mut self, from: Address, call: &Bytes) -> Result<Sent, Bytes> {
        self.send_raw(from, ORACLE, U256::ZERO, call.clone())
    }

    /// Calls a view function.
    pub(crate) fn view<C: SolCall>(&mut self, to: Address, call: &C) -> C::Return {
        let sent = self.send(DEPLOYER, to, U256::ZERO, call).expect("a view does not revert");
        C::abi_decode_returns(&sent.output).expect("decodes")
    }

    /// Mines blocks until this many seconds have passed.
    pub(crate) fn pass(&mut self, seconds: u64) {
        self.evm.ctx.block.number += U256::ONE;
        self.evm.ctx.block.timestamp += U256::from(seconds);
    }

    /// Appends calldata to the inbox, with the attributes of entry 0.
    pub(crate) fn append(&mut self, before: B256, data: &Bytes) -> PostedEntry {
        self.pass(1);
        let item = Inbox::Item {
            kind: DataKind::Calldata.as_u8(),
            depositCount: 0,
            depositAcc: B256::ZERO,
            origin: 0,
            originAcc: self.view(self.inbox, &Inbox::accCall { k: 0 }),
            data: data.clone(),
        };
        let call = Inbox::appendCall {
            expectedContent: before,
            items: vec![item],
            signatures: Vec::new(),
        };
        let sent =
            self.send(BATCHER, self.inbox, U256::ZERO, &call).expect("the inbox accepts the entry");
        let event = Inbox::EntryAppended::decode_log(&sent.logs[0])
            .expect("the first log is the event")
            .data;
        posted(event)
    }

    pub(crate) fn first_entry(&mut self) -> PostedEntry {
        let acc = self.view(self.inbox, &Inbox::accCall { k: 0 });
        let entry = Entry {
            index: 0,
            data_kind: DataKind::None,
            data_hash: B256::ZERO,
            deposit_acc: B256::ZERO,
            deposit_count: 0,
            l1_block_number: 100,
            l1_time: self.evm.ctx.block.timestamp.to(),
            l1_base_fee: U256::from(BASE_FEE),
            l1_blob_base_fee: U256::ONE,
            l1_parent_hash: self.parent_hash(),
            origin: 0,
            origin_acc: B256::ZERO,
            offchain_time: 0,
        };
        let config_hash = self.view(self.inbox, &Inbox::chainConfigHashCall {});
        assert_eq!(entry.accumulate(config_hash), acc);
        let content = self.view(self.inbox, &Inbox::contentCall {});
        PostedEntry { entry, acc, content, l1_transaction: B256::ZERO }
    }

    /// The hash of the block before the deployment.
    fn parent_hash(&mut self) -> B256 {
        use revm::database::DatabaseRef as _;
        self.evm
            .ctx
            .journaled_state
            .database
            .block_hash_ref(99)
            .expect("the database knows the hash")
    }

    /// Proposes an output. Returns its index and claim.
    pub(crate) fn propose(
        &mut self,
        parent: (u64, B256),
        entry: &PostedEntry,
        output: &OutputRoot,
        header: &Header,
    ) -> (u64, B256) {
        self.pass(1);
        let call = Rollup::proposeCall {
            parentIndex: U256::from(parent.0),
            parentClaim: parent.1,
            entry: entry.entry.index,
            expectedAcc: entry.acc,
            proof: Rollup::OutputRootProof {
                version: B256::ZERO,
                stateRoot: output.state_root,
                messagePasserStorageRoot: output.message_passer_storage_root,
                latestBlockhash: output.block_hash,
            },
            header: alloy_rlp::encode(header).into(),
        };
        let bond = self.config.proposer_bond;
        let sent =
            self.send(PROPOSER, self.rollup, bond, &call).expect("the rollup accepts the output");
        let index = Rollup::proposeCall::abi_decode_returns(&sent.output).expect("decodes").to();
        (index, self.output(index).claim)
    }

    pub(crate) fn output(&mut self, index: u64) -> Rollup::Output {
        self.view(self.rollup, &Rollup::outputCall { index: U256::from(index) })
    }
}

fn posted(event: Inbox::EntryAppended) -> PostedEntry {
    let entry = event.entry;
    let entry = Entry {
        index: entry.index,
        data_kind: DataKind::from_u8(entry.dataKind).expect("known data kind"),
        data_hash: entry.dataHash,
        deposit_acc: entry.depositAcc,
        deposit_count: entry.depositCount,
        l1_block_number: entry.l1BlockNumber,
        l1_time: entry.l1Time,
        l1_base_fee: entry.l1BaseFee,
        l1_blob_base_fee: entry.l1BlobBaseFee,
        l1_parent_hash: entry.l1ParentHash,
        origin: entry.origin,
        origin_acc: entry.originAcc,
        offchain_time: entry.offchainTime,
    };
    assert_eq!(entry.accumulate(event.prevAcc), event.acc);
    PostedEntry { entry, acc: event.acc, content: event.content, l1_transaction: B256::ZERO }
}

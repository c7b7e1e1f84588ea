//! L1 with the contracts, and what their logs say.

use std::collections::HashMap;

use alloy::{
    primitives::{Address, B256, Bytes, TxKind, U256, keccak256},
    rpc::types::Log,
    sol_types::{SolCall, SolConstructor as _, SolEvent as _, SolValue as _},
};
use turnpike_dispute_model::{Account, Parameters};
use turnpike_l1::{
    Inbox, Portal,
    tournament::{
        TournamentSizes, Tournaments,
        contracts::{DisputeV2, Programs, RollupV2, Tournament},
    },
};
use turnpike_protocol::{History, OutputRoot};

use crate::evm::{Done, Evm};

pub(crate) const DEPLOYER: Address = Address::repeat_byte(0xde);
const BATCHER: Address = Address::repeat_byte(0xba);
/// Code that returns the word it was last sent.
const MACHINE: Address = Address::repeat_byte(0x5e);
const MACHINE_CODE: [u8; 21] = [
    0x36, 0x60, 0x20, 0x14, 0x60, 0x0f, 0x57, 0x5f, 0x54, 0x5f, 0x52, 0x60, 0x20, 0x5f, 0xf3, 0x5b,
    0x5f, 0x35, 0x5f, 0x55, 0x00,
];
/// Time of the deployment.
pub(crate) const START: u64 = 1_800_000_000;
/// Output 0.
const GENESIS: OutputRoot = OutputRoot {
    state_root: B256::ZERO,
    message_passer_storage_root: B256::ZERO,
    block_hash: B256::ZERO,
};
const STATE_BYTES: usize = 305;
/// Wei of a thousandth of an ether, in which the model counts.
const UNIT: u64 = 1_000_000_000_000_000;

/// The contracts' addresses.
#[derive(Clone, Copy)]
pub(crate) struct Deployed {
    pub(crate) inbox: Address,
    pub(crate) rollup: Address,
    pub(crate) tournament: Address,
    pub(crate) programs: Address,
    pub(crate) dispute: Address,
}

pub(crate) struct L1 {
    evm: Evm,
    pub(crate) at: Deployed,
    pub(crate) time: u64,
    pub(crate) records: Tournaments,
    pub(crate) entries: Vec<RollupV2::Entry>,
    parameters: Parameters,
    /// Seconds from a program's announcement to its activation.
    pub(crate) notice: u64,
    /// Preimages of the output roots that children may claim.
    roots: HashMap<B256, (RollupV2::OutputRootProof, Bytes)>,
}

impl L1 {
    /// Contracts with these parameters, and funded accounts from 1 to `accounts`.
    pub(crate) fn new(parameters: Parameters, accounts: Account) -> Self {
        let at = Deployed {
            inbox: DEPLOYER.create(1),
            rollup: DEPLOYER.create(2),
            tournament: DEPLOYER.create(3),
            programs: DEPLOYER.create(4),
            dispute: DEPLOYER.create(5),
        };
        let funded: Vec<_> = (1..=accounts).map(address).chain([DEPLOYER, BATCHER]).collect();
        let mut evm = Evm::new(&funded, &[(MACHINE, MACHINE_CODE.into())]);
        evm.warp(START);
        let p = &parameters;
        let notice = 2 + p.interval_s + p.window_s + 2 * p.clock_s + 36 * p.increment_s;
        let sizes = TournamentSizes {
            challenge_window: p.window_s,
            game_clock: p.clock_s,
            game_increment: p.increment_s,
            group_size: p.group_size,
            blocks_per_entry_max: p.blocks_max,
        };
        let mut l1 = Self {
            evm,
            at,
            time: START,
            records: Tournaments::new(sizes, GENESIS),
            // Entry 0 is never opened.
            entries: vec![RollupV2::Entry::abi_decode(&[0; 13 * 32]).expect("zeros")],
            roots: HashMap::new(),
            notice,
            parameters,
        };
        l1.deploy();
        l1
    }

    fn deploy(&mut self) {
        let Deployed { inbox, rollup, tournament, programs, dispute } = self.at;
        let p = self.parameters.clone();
        let arguments = Portal::constructorCall {
            config: Portal::PortalConfig { rollup, guardian: Address::ZERO, pauseMax: 0 },
        };
        self.create(&Portal::BYTECODE, &arguments.abi_encode());
        let arguments = Inbox::constructorCall {
            chainConfigHash_: keccak256("chain configuration"),
            portal_: DEPLOYER.create(0),
            batcher_: BATCHER,
            config: Inbox::InboxConfig {
                forceWindow: 1,
                depositsPerEntryMax: 1,
                originAgeMax: 1,
                entryBytesMax: 1,
                entryBlobsMax: 1,
                entriesPerL1BlockMax: 64,
                keyAdmin: Address::ZERO,
                keyDelay: 0,
            },
        };
        self.create(&Inbox::BYTECODE, &arguments.abi_encode());
        let arguments = RollupV2::constructorCall {
            inbox_: inbox,
            tournament_: tournament,
            programs_: programs,
            genesisOutputRoot: GENESIS.hash(),
            config: RollupV2::RollupConfig {
                challengeWindow: p.window_s,
                gameClock: p.clock_s,
                outputInterval: p.interval_s,
                entriesPerOutputMax: p.entries_max,
                blocksPerEntryMax: p.blocks_max,
                proposerBond: wei(p.bond),
            },
        };
        self.create(&RollupV2::BYTECODE, &arguments.abi_encode());
        let arguments = Tournament::constructorCall {
            rollup_: rollup,
            dispute_: dispute,
            config: Tournament::TournamentConfig {
                groupSize: p.group_size,
                gameIncrement: p.increment_s,
            },
        };
        self.create(&Tournament::BYTECODE, &arguments.abi_encode());
        let config = Programs::ProgramsConfig {
            admin: DEPLOYER,
            notice: self.notice,
            escapeAfter: p.escape_s,
        };
        let arguments =
            Programs::constructorCall { rollup_: rollup, initialState: word(1), config };
        self.create(&Programs::BYTECODE, &arguments.abi_encode());
        let arguments = DisputeV2::constructorCall {
            tournaments_: tournament,
            riscvStep_: MACHINE,
            stakeAmount_: wei(p.stake),
        };
        self.create(&DisputeV2::BYTECODE, &arguments.abi_encode());
    }

    fn create(&mut self, code: &Bytes, arguments: &[u8]) {
        let done = self.evm.create(DEPLOYER, code, arguments);
        self.read(&done);
    }

    fn read(&mut self, done: &Done) {
        for log in &done.logs {
            let log = Log { inner: log.clone(), ..Log::default() };
            self.records.read(&log, self.time).expect("the contracts' logs are in order");
        }
    }

    /// Moves to a block with this time.
    pub(crate) fn warp(&mut self, time: u64) {
        self.time = time;
        self.evm.warp(time);
    }

    /// Makes a call. The error is what it reverts with.
    pub(crate) fn call(
        &mut self,
        caller: Address,
        to: Address,
        value: U256,
        call: &impl SolCall,
    ) -> Result<Done, Bytes> {
        let data = call.abi_encode().into();
        let done = self.evm.transact(caller, TxKind::Call(to), value, data)?;
        self.read(&done);
        Ok(done)
    }

    /// Makes a call that cannot fail.
    pub(crate) fn must(&mut self, caller: Address, to: Address, call: &impl SolCall) -> Done {
        let done = self.call(caller, to, U256::ZERO, call);
        done.unwrap_or_else(|reason| panic!("a call reverts: {reason}"))
    }

    /// Reads a value from a contract.
    pub(crate) fn view<C: SolCall>(&mut self, contract: Address, call: &C) -> C::Return {
        self.evm.view(contract, call)
    }

    pub(crate) fn balance(&mut self, address: Address) -> U256 {
        self.evm.balance(address)
    }

    /// Sets what the machine's next step comes to.
    pub(crate) fn set_step(&mut self, state: B256) {
        let told = self.evm.transact(DEPLOYER, TxKind::Call(MACHINE), U256::ZERO, state.into());
        told.unwrap_or_else(|reason| panic!("the machine reverts: {reason}"));
    }

    /// An output root that children may claim, of the state with this seed.
    pub(crate) fn output_root(&mut self, seed: u64) -> B256 {
        let state = keccak256(seed.to_be_bytes());
        let header = alloy_consensus::Header { state_root: state, ..Default::default() };
        let header: Bytes = alloy_rlp::encode(&header).into();
        let proof = RollupV2::OutputRootProof {
            version: B256::ZERO,
            stateRoot: state,
            messagePasserStorageRoot: B256::ZERO,
            latestBlockhash: keccak256(&header),
        };
        let root = keccak256(proof.abi_encode());
        self.roots.insert(root, (proof, header));
        root
    }

    /// Appends an entry to the inbox.
    pub(crate) fn append(&mut self) {
        let inbox = self.at.inbox;
        let last = self.entries.len() as u64 - 1;
        let item = Inbox::Item {
            kind: 1,
            depositCount: 0,
            depositAcc: B256::ZERO,
            origin: last,
            originAcc: self.view(inbox, &Inbox::accCall { k: last }),
            data: Bytes::from_static(&[0]),
        };
        let expected = self.view(inbox, &Inbox::contentCall {});
        let call =
            Inbox::appendCall { expectedContent: expected, items: vec![item], signatures: vec![] };
        let done = self.must(BATCHER, inbox, &call);
        let event = Inbox::EntryAppended::decode_log(&done.logs[0]).expect("decodes");
        let entry = event.data.entry.abi_encode();
        self.entries.push(RollupV2::Entry::abi_decode(&entry).expect("the same fields"));
    }

    /// The call that proposes a child. `None` if the parent or the entry does not exist.
    pub(crate) fn proposal(
        &mut self,
        parent: u64,
        entry: u64,
        history: &History,
    ) -> Option<RollupV2::proposeCall> {
        let (rollup, inbox) = (self.at.rollup, self.at.inbox);
        let above = self.records.child(parent)?.entry;
        let at = usize::try_from(entry).ok().filter(|at| *at < self.entries.len())?;
        let has_next = entry != above + self.parameters.entries_max && at + 1 < self.entries.len();
        let last = (1 << history.depth()) - 1;
        let (output_proof, header) = self.roots[&history.leaf(last)].clone();
        let parent_output = self.view(rollup, &RollupV2::outputCall { index: U256::from(parent) });
        Some(RollupV2::proposeCall {
            proposal: RollupV2::Proposal {
                parentIndex: U256::from(parent),
                parentClaim: parent_output.claim,
                entry,
                expectedAcc: self.view(inbox, &Inbox::accCall { k: entry }),
                history: history.root(),
                siblings: history.siblings(last),
                rangeProof: self.entries[at..=at + usize::from(has_next)].to_vec(),
                outputProof: output_proof,
                header,
            },
        })
    }
}

pub(crate) fn address(account: Account) -> Address {
    Address::left_padding_from(&(0x1000 + account).to_be_bytes())
}

pub(crate) fn wei(amount: u64) -> U256 {
    U256::from(amount) * U256::from(UNIT)
}

pub(crate) fn word(value: u64) -> B256 {
    U256::from(value).into()
}

/// A state of the machine that halted with a root in a1 to a4.
pub(crate) fn halted_with(root: B256) -> Bytes {
    let mut state = vec![0; STATE_BYTES];
    for (register, part) in root.chunks(8).enumerate() {
        let end = 40 + (11 + register) * 8;
        let reversed: Vec<u8> = part.iter().rev().copied().collect();
        state[end - 8..end].copy_from_slice(&reversed);
    }
    state[288] = 1;
    state.into()
}

/// A made-up state.
pub(crate) fn state_of(seed: B256) -> Bytes {
    let mut state = vec![0; STATE_BYTES];
    state[..32].copy_from_slice(seed.as_slice());
    state.into()
}

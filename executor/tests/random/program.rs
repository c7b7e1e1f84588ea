//! Programs of contracts.

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};

use super::{
    Rng, World,
    keys::{contract, slot},
};

/// Creation codes: an empty one; one that sets a slot; one that destroys itself; one that reverts;
/// one of a contract that destroys itself; one of a contract with a slot set from the start, which
/// destroys itself or, given data, sets the slot that the data names; one whose code differs if it
/// is created with ether.
pub(crate) const CHILDREN: [&[u8]; 7] = [
    &[],
    &[0x60, 1, 0x60, 1, 0x55],
    &[0x33, 0xff],
    &[0x60, 0, 0x60, 0, 0xfd],
    &[0x61, 0x33, 0xff, 0x60, 0, 0x52, 0x60, 2, 0x60, 30, 0xf3],
    &[
        0x60, 1, 0x60, 1, 0x55, // storage[1] = 1
        0x6c, 0x36, 0x60, 6, 0x57, 0x33, 0xff, 0x5b, 0x60, 1, 0x60, 4, 0x35, 0x55, // the code
        0x60, 0, 0x52, 0x60, 13, 0x60, 19, 0xf3,
    ],
    &[
        0x34, 0x60, 17, 0x57, // by value
        0x63, 0x60, 7, 0x33, 0x55, 0x60, 0, 0x52, 0x60, 4, 0x60, 28,
        0xf3, // storage[caller] = 7
        0x5b, 0x61, 0x33, 0xff, 0x60, 0, 0x52, 0x60, 2, 0x60, 30, 0xf3, // or its end
    ],
];

/// The creation code whose contract holds storage.
pub(crate) const STORING_CHILD: usize = 5;

/// The address at which contract `creator` creates a child with CREATE2 and salt 0.
pub(crate) fn child(creator: usize, code: usize) -> Address {
    contract(creator).create2(B256::ZERO, keccak256(CHILDREN[code]))
}

/// The source of an address in a program.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Who {
    /// From the code.
    Known(Address),
    /// From a word of the calldata, counted after the selector.
    Word(u8),
    /// From a slot.
    Slot(U256),
    Caller,
    Origin,
    Itself,
    Coinbase,
}

/// A key of a mapping.
#[derive(Clone, Copy, Debug)]
enum Key {
    Caller,
    Word(u8),
    Slot(U256),
}

/// The effect on a value.
#[derive(Clone, Copy, Debug)]
enum Effect {
    More,
    Less,
    Cleared,
}

/// A step of a program.
#[derive(Clone, Debug)]
enum Step {
    Store {
        slot: U256,
        value: u8,
    },
    StoreOfSlot {
        from: U256,
        to: U256,
    },
    StoreWord {
        word: u8,
        slot: U256,
    },
    /// Stores the remaining gas, which reveals any difference in warmth.
    StoreGas {
        slot: U256,
    },
    StoreBalance {
        of: Who,
        slot: U256,
    },
    StoreSelfBalance {
        slot: U256,
    },
    /// Stores size or hash of a code.
    StoreCode {
        opcode: u8,
        of: Who,
        slot: U256,
    },
    StoreBlockHash {
        back: u8,
        slot: U256,
    },
    LogSlot(U256),
    /// Adds one to a fixed slot.
    Count {
        slot: U256,
    },
    Call {
        kind: u8,
        to: Who,
        value: u8,
        /// Whether the calldata is forwarded.
        forwards: bool,
    },
    Create {
        salted: bool,
        code: usize,
        value: u8,
    },
    Transient {
        slot: U256,
        value: u8,
    },
    Hash {
        key: u8,
    },
    /// Hashes many bytes, which is more work than its gas pays for.
    HashMuch {
        bytes: u16,
        times: u8,
    },
    Mapping {
        key: Key,
        position: u8,
        effect: Effect,
    },
    /// Counts in a mapping of mappings, by the caller and a word of the calldata.
    Nested {
        position: u8,
    },
    /// Continues only if a slot is zero, or only if it is not.
    Guard {
        slot: U256,
        wants_zero: bool,
        reverts: bool,
    },
    /// Continues only if the calldata starts with this selector.
    OnSelector(u8),
    Destroy {
        heir: Who,
    },
    Revert,
    Invalid,
}

/// Code under construction.
#[derive(Debug, Default)]
struct Assembler(Vec<u8>);

impl Assembler {
    fn ops(&mut self, opcodes: impl AsRef<[u8]>) {
        self.0.extend(opcodes.as_ref());
    }

    fn push(&mut self, value: u8) {
        self.ops([0x60, value]);
    }

    fn push_word(&mut self, word: U256) {
        let bytes = word.to_be_bytes_trimmed_vec();
        let bytes = if bytes.is_empty() { vec![0] } else { bytes };
        self.0.push(0x5f + u8::try_from(bytes.len()).expect("at most 32 bytes"));
        self.0.extend(bytes);
    }

    fn store(&mut self, slot: U256) {
        self.push_word(slot);
        self.ops([0x55]);
    }

    fn load(&mut self, slot: U256) {
        self.push_word(slot);
        self.ops([0x54]);
    }

    fn word(&mut self, at: u8) {
        self.ops([0x60, 4 + 32 * at, 0x35]);
    }

    fn who(&mut self, who: Who) {
        match who {
            Who::Known(address) => {
                self.ops([0x73]);
                self.ops(address);
            }
            Who::Word(at) => self.word(at),
            Who::Slot(slot) => self.load(slot),
            Who::Caller => self.ops([0x33]),
            Who::Origin => self.ops([0x32]),
            Who::Itself => self.ops([0x30]),
            Who::Coinbase => self.ops([0x41]),
        }
    }

    /// Hashes the key on the stack to its slot in the mapping whose position is at memory 32.
    fn hash_key(&mut self) {
        self.ops([0x60, 0, 0x52, 0x60, 64, 0x60, 0, 0x20]);
    }

    /// Changes the slot on the stack.
    fn change(&mut self, effect: Effect) {
        self.ops(match effect {
            Effect::More => &[0x80, 0x54, 0x60, 1, 0x01, 0x90, 0x55][..],
            Effect::Less => &[0x80, 0x54, 0x60, 1, 0x90, 0x03, 0x90, 0x55],
            Effect::Cleared => &[0x60, 0, 0x90, 0x55],
        });
    }

    /// Continues if the top of the stack is not zero.
    fn go_on_if(&mut self, reverts: bool) {
        let ending: &[u8] = if reverts { &[0x60, 0, 0x60, 0, 0xfd] } else { &[0x00] };
        let target = self.0.len() + 4 + ending.len();
        let [high, low] = u16::try_from(target).expect("a short program").to_be_bytes();
        self.ops([0x61, high, low, 0x57]);
        self.ops(ending);
        self.ops([0x5b]);
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Store { slot, value } => {
                self.push(value);
                self.store(slot);
            }
            Step::StoreOfSlot { from, to } => {
                self.load(from);
                self.store(to);
            }
            Step::StoreWord { word, slot } => {
                self.word(word);
                self.store(slot);
            }
            Step::StoreGas { slot } => {
                self.ops([0x5a]);
                self.store(slot);
            }
            Step::StoreBalance { of, slot } => {
                self.who(of);
                self.ops([0x31]);
                self.store(slot);
            }
            Step::StoreSelfBalance { slot } => {
                self.ops([0x47]);
                self.store(slot);
            }
            Step::StoreCode { opcode, of, slot } => {
                self.who(of);
                self.ops([opcode]);
                self.store(slot);
            }
            Step::StoreBlockHash { back, slot } => {
                self.push(back);
                self.ops([0x43, 0x03, 0x40]);
                self.store(slot);
            }
            Step::Count { slot } => {
                self.push_word(slot);
                self.change(Effect::More);
            }
            Step::LogSlot(slot) => {
                self.load(slot);
                self.ops([0x60, 0, 0x60, 0, 0xa1]);
            }
            Step::Call { kind, to, value, forwards } => self.call(kind, to, value, forwards),
            Step::Create { salted, code, value } => self.create(salted, CHILDREN[code], value),
            Step::Transient { slot, value } => {
                self.push(value);
                self.push_word(slot);
                self.ops([0x5d]);
                self.push_word(slot ^ U256::ONE);
                self.ops([0x5c]);
                self.store(U256::from(9));
            }
            Step::Hash { key } => {
                self.push(key);
                self.hash_key();
                self.store(U256::from(8));
            }
            Step::HashMuch { bytes, times } => {
                let [high, low] = bytes.to_be_bytes();
                (0..times).for_each(|_| self.ops([0x61, high, low, 0x60, 0, 0x20, 0x50]));
            }
            Step::Mapping { key, position, effect } => {
                self.ops([0x60, position, 0x60, 32, 0x52]);
                match key {
                    Key::Caller => self.who(Who::Caller),
                    Key::Word(at) => self.word(at),
                    Key::Slot(slot) => self.load(slot),
                }
                self.hash_key();
                self.change(effect);
            }
            Step::Nested { position } => {
                self.ops([0x60, position, 0x60, 32, 0x52, 0x33]);
                self.hash_key();
                self.ops([0x60, 32, 0x52]);
                self.word(0);
                self.hash_key();
                self.change(Effect::More);
            }
            Step::Guard { slot, wants_zero, reverts } => {
                self.load(slot);
                if wants_zero {
                    self.ops([0x15]);
                }
                self.go_on_if(reverts);
            }
            Step::OnSelector(first) => {
                self.ops([0x60, 0, 0x35, 0x60, 0, 0x1a]);
                self.push(first);
                self.ops([0x14]);
                self.go_on_if(false);
            }
            Step::Destroy { heir } => {
                self.who(heir);
                self.ops([0xff]);
            }
            Step::Revert => self.ops([0x60, 0, 0x60, 0, 0xfd]),
            Step::Invalid => self.ops([0xfe]),
        }
    }

    fn call(&mut self, kind: u8, to: Who, value: u8, forwards: bool) {
        if forwards {
            self.ops([0x36, 0x60, 0, 0x60, 0, 0x37]);
        }
        self.ops([0x60, 0, 0x60, 0]);
        self.ops(if forwards { &[0x36][..] } else { &[0x60, 0] });
        self.push(0);
        // CALL and CALLCODE carry value, DELEGATECALL and STATICCALL do not.
        let opcode = [0xf1, 0xf2, 0xf4, 0xfa][usize::from(kind)];
        if kind < 2 {
            self.push(value);
        }
        self.who(to);
        self.ops([0x61, 0x80, 0, opcode, 0x50]);
    }

    fn create(&mut self, salted: bool, child: &[u8], value: u8) {
        for (at, chunk) in (0..).zip(child.chunks(32)) {
            let mut word = [0; 32];
            word[..chunk.len()].copy_from_slice(chunk);
            self.ops([0x7f]);
            self.ops(word);
            self.push(32 * at);
            self.ops([0x52]);
        }
        if salted {
            self.push(0);
        }
        self.push(u8::try_from(child.len()).expect("fits 8 bits"));
        self.push(0);
        self.push(value);
        self.ops([if salted { 0xf5 } else { 0xf0 }, 0x50]);
    }
}

/// Builds programs.
#[derive(Debug)]
pub(crate) struct Program;

impl Program {
    /// Random steps.
    pub(crate) fn random(rng: &mut Rng, world: &World) -> Bytes {
        let count = 1 + rng.below(7);
        let steps: Vec<_> = (0..count).map(|_| random_step(rng, world)).collect();
        assemble(&steps)
    }

    /// Changes that concern the caller, or few others.
    pub(crate) fn plain(rng: &mut Rng, world: &World) -> Bytes {
        let mapping = |key, effect| Step::Mapping { key, position: 0, effect };
        let mut steps = match rng.below(8) {
            0 => vec![mapping(Key::Caller, Effect::More)],
            1 => vec![Step::Nested { position: 3 }],
            2 => vec![mapping(Key::Word(0), Effect::More), Step::LogSlot(slot(rng))],
            3 => vec![Step::Call { kind: 0, to: Who::Word(0), value: 0, forwards: true }],
            4 => vec![Step::Store { slot: slot(rng), value: 1 }],
            _ => vec![
                mapping(Key::Caller, Effect::Less),
                mapping(Key::Word(0), Effect::More),
                Step::LogSlot(U256::ONE),
            ],
        };
        if rng.percent(30) {
            let to = Who::Known(world.library(rng));
            steps.push(Step::Call { kind: rng.pick(&[0, 0, 2, 3]), to, value: 0, forwards: true });
        }
        assemble(&steps)
    }

    /// Functions that other contracts call. They share only storage.
    pub(crate) fn library(rng: &mut Rng, world: &World) -> Bytes {
        let at = slot(rng);
        let mapping = |key| Step::Mapping { key, position: 0, effect: Effect::More };
        assemble(&match rng.below(9) {
            0 => vec![mapping(Key::Word(0))],
            1 => vec![mapping(Key::Caller)],
            2 => vec![Step::Count { slot: at }, Step::LogSlot(at)],
            3 => vec![Step::LogSlot(at), Step::OnSelector(1), Step::Count { slot: at }],
            4 => vec![
                Step::Guard { slot: at, wants_zero: rng.percent(50), reverts: rng.percent(50) },
                Step::OnSelector(2),
                Step::StoreWord { word: 0, slot: at },
            ],
            5 => vec![Step::StoreWord { word: 1, slot: at }, Step::LogSlot(at)],
            6 => vec![mapping(Key::Slot(at)), Step::OnSelector(1), Step::Count { slot: at }],
            7 => vec![Step::OnSelector(0), Step::Destroy { heir: Who::Caller }],
            _ => return Self::random(rng, world),
        })
    }

    /// A typical contract, with or without a deviation.
    pub(crate) fn typical(rng: &mut Rng, world: &World) -> Bytes {
        let mut steps = typical(rng, world);
        if rng.percent(25) {
            steps.insert(rng.below(steps.len() + 1), random_step(rng, world));
        }
        assemble(&steps)
    }

    /// The program of contract `own`. It creates a child, perhaps where one was destroyed, and
    /// perhaps calls it.
    pub(crate) fn factory(rng: &mut Rng, own: usize, code: usize) -> Bytes {
        let made = Who::Known(child(own, code));
        let mut steps = vec![
            Step::Create { salted: true, code, value: rng.byte(2) },
            Step::StoreCode { opcode: 0x3f, of: made, slot: slot(rng) },
        ];
        if rng.percent(30) {
            steps.push(Step::Call { kind: 0, to: made, value: 0, forwards: rng.percent(50) });
        }
        assemble(&steps)
    }
}

fn assemble(steps: &[Step]) -> Bytes {
    let mut code = Assembler::default();
    steps.iter().for_each(|step| code.step(step));
    code.0.into()
}

fn random_who(rng: &mut Rng, world: &World) -> Who {
    match rng.weighted([12, 3, 1, 1, 1, 1, 1]) {
        0 => Who::Known(world.anybody(rng)),
        1 => Who::Word(rng.byte(2)),
        2 => Who::Slot(slot(rng)),
        3 => Who::Caller,
        4 => Who::Origin,
        5 => Who::Itself,
        _ => Who::Coinbase,
    }
}

fn random_key(rng: &mut Rng) -> Key {
    match rng.below(5) {
        0 | 1 => Key::Caller,
        2 | 3 => Key::Word(rng.byte(2)),
        _ => Key::Slot(slot(rng)),
    }
}

fn random_step(rng: &mut Rng, world: &World) -> Step {
    let position = rng.byte(4);
    match rng.weighted([3, 2, 1, 1, 3, 1, 2, 1, 1, 6, 3, 1, 1, 3, 1, 2, 1, 1, 1, 1, 2]) {
        0 => Step::Store { slot: slot(rng), value: rng.byte(3) },
        1 => Step::StoreOfSlot { from: slot(rng), to: slot(rng) },
        2 => Step::StoreWord { word: rng.byte(2), slot: slot(rng) },
        3 => Step::StoreGas { slot: slot(rng) },
        4 => Step::StoreBalance { of: random_who(rng, world), slot: slot(rng) },
        5 => Step::StoreSelfBalance { slot: slot(rng) },
        6 => {
            let opcode = rng.pick(&[0x3b, 0x3f]);
            Step::StoreCode { opcode, of: random_who(rng, world), slot: slot(rng) }
        }
        7 => Step::StoreBlockHash { back: rng.byte(4), slot: slot(rng) },
        8 => Step::LogSlot(slot(rng)),
        9 => Step::Call {
            kind: rng.byte(4),
            to: random_who(rng, world),
            value: rng.byte(3),
            forwards: rng.percent(50),
        },
        10 => {
            let code = rng.below(CHILDREN.len());
            Step::Create { salted: rng.percent(50), code, value: rng.byte(2) }
        }
        11 => Step::Transient { slot: slot(rng), value: rng.byte(3) },
        12 => Step::Hash { key: rng.byte(4) },
        13 => {
            let effect = rng.pick(&[Effect::More, Effect::Less, Effect::Cleared]);
            Step::Mapping { key: random_key(rng), position, effect }
        }
        14 => Step::Nested { position },
        15 => {
            Step::Guard { slot: slot(rng), wants_zero: rng.percent(70), reverts: rng.percent(50) }
        }
        16 => Step::OnSelector(rng.byte(3)),
        17 => Step::Destroy { heir: random_who(rng, world) },
        18 => Step::Revert,
        19 => Step::Invalid,
        _ => Step::HashMuch { bytes: rng.pick(&[300, 4_096, 16_384]), times: 1 + rng.byte(6) },
    }
}

fn typical(rng: &mut Rng, world: &World) -> Vec<Step> {
    let position = rng.byte(3);
    let mapping = |key, effect| Step::Mapping { key, position, effect };
    let call = |to, value, forwards| Step::Call { kind: 0, to, value, forwards };
    let transfer = [mapping(Key::Caller, Effect::Less), mapping(Key::Word(0), Effect::More)];
    match rng.below(11) {
        // A token, twice as likely as the others.
        0 | 1 => [&transfer[..], &[Step::LogSlot(slot(rng))]].concat(),
        // A token with allowances that logs.
        2 => [&[Step::Nested { position: 3 }][..], &transfer, &[Step::LogSlot(U256::ONE)]].concat(),
        // A bank that opens and closes accounts.
        3 => vec![
            mapping(Key::Word(1), Effect::Cleared),
            mapping(Key::Caller, Effect::More),
            Step::StoreSelfBalance { slot: U256::from(2) },
        ],
        // A hot pool: everyone's balances and its own.
        4 => vec![
            mapping(Key::Caller, Effect::More),
            Step::StoreWord { word: 1, slot: U256::ONE },
            Step::StoreOfSlot { from: U256::ONE, to: U256::from(2) },
        ],
        // Calls or pays the address in the data.
        5 => vec![call(Who::Word(0), rng.byte(2), rng.percent(50))],
        // Reverts after all its accesses.
        6 => vec![
            call(Who::Word(0), rng.byte(2), false),
            Step::Store { slot: slot(rng), value: 1 },
            Step::Revert,
        ],
        // A proxy: delegates to a changeable address.
        7 => vec![
            Step::OnSelector(rng.byte(2)),
            Step::Call { kind: 2, to: Who::Slot(U256::from(5)), value: 0, forwards: true },
        ],
        // Changes that address.
        8 => vec![
            Step::StoreWord { word: 0, slot: U256::from(5) },
            Step::Call { kind: 2, to: Who::Slot(U256::from(5)), value: 0, forwards: true },
        ],
        // Reads an account that nearly every transaction pays.
        9 => vec![
            Step::StoreBalance { of: Who::Coinbase, slot: slot(rng) },
            Step::StoreBalance { of: Who::Known(world.paid(rng)), slot: U256::from(3) },
            Step::Guard { slot: slot(rng), wants_zero: true, reverts: true },
            call(Who::Coinbase, 1, false),
        ],
        // Finds slots by values that others wrote.
        _ => vec![
            mapping(Key::Slot(U256::ONE), Effect::More),
            Step::StoreWord { word: 0, slot: U256::ONE },
        ],
    }
}

//! What the worst blocks repeat: code that costs a verifier as much as its gas allows, by time, by
//! steps of the proof machine, or by growth of the state.

use std::collections::BTreeMap;

use alloy_primitives::{Address, Bytes, U256, hex};

/// Address of the contract that repeats.
pub const CONTRACT: Address = Address::repeat_byte(0xc0);

/// An account whose code stops at once.
const STOPS: Address = Address::with_last_byte(0xee);

/// Where the numbered accounts begin.
const FIRST: u64 = 1 << 40;

/// Gas that reading an account takes at least.
const ACCOUNT_GAS: u64 = 2_600;

/// Slots of the contract: enough that most trie nodes are read once.
const SLOTS: u64 = 20_000;

/// Bytes of a large contract's code.
const CODE_BYTES: usize = 24_576;

/// What a block repeats until its gas is used.
#[derive(Clone, Copy, Debug)]
pub struct Worst {
    /// Its name.
    pub name: &'static str,
    /// Code that runs once.
    start: &'static [u8],
    /// Code that is repeated.
    body: &'static [u8],
    /// Copies of the body in each round of the loop.
    copies: usize,
    /// The loop ends when less gas is left.
    gas_left: u16,
    /// What the state holds.
    state: State,
    /// Input of every call, if the calls do not differ.
    data: Option<fn() -> Vec<u8>>,
}

/// What the state holds besides the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing that the code uses.
    Empty,
    /// Slots of the contract.
    Slots,
    /// Numbered accounts, each with this many bytes of code.
    Accounts(usize),
}

/// An account of the state before a worst block.
#[derive(Clone, Debug, Default)]
pub struct WorstAccount {
    /// Balance in wei.
    pub balance: U256,
    /// Code.
    pub code: Bytes,
    /// Slots.
    pub storage: BTreeMap<U256, U256>,
}

const fn worst(
    name: &'static str,
    start: &'static [u8],
    body: &'static [u8],
    copies: usize,
    gas_left: u16,
) -> Worst {
    Worst { name, start, body, copies, gas_left, state: State::Empty, data: None }
}

impl Worst {
    const fn on(self, state: State) -> Self {
        Self { state, ..self }
    }

    /// Code that runs `start` once and repeats the bodies while more than `gas_left` gas is left.
    pub fn code(&self) -> Bytes {
        let [high, low] = self.gas_left.to_be_bytes();
        let target = u8::try_from(self.start.len()).expect("short");
        let end = [0x61, high, low, 0x5a, 0x11, 0x60, target, 0x57, 0x00];
        [self.start, &[0x5b], &self.body.repeat(self.copies), &end].concat().into()
    }

    /// The accounts that a block needs in which transactions use `gas` together, or about as many.
    pub fn accounts(&self, gas: u64) -> BTreeMap<Address, WorstAccount> {
        let mut contract = WorstAccount {
            code: self.code(),
            balance: U256::from(1_000_000),
            ..Default::default()
        };
        let stops = WorstAccount { code: hex!("00").into(), ..Default::default() };
        let mut accounts = BTreeMap::from([(STOPS, stops)]);
        match self.state {
            State::Empty => {}
            State::Slots => {
                let slots = (0..SLOTS).map(|slot| (U256::from(slot), U256::from(slot + 1)));
                contract.storage = slots.collect();
            }
            State::Accounts(code_bytes) => {
                accounts.extend((0..gas / ACCOUNT_GAS).map(|number| numbered(number, code_bytes)));
            }
        }
        accounts.insert(CONTRACT, contract);
        accounts
    }

    /// Whether calls can go on for ever: they need no further accounts in the state.
    pub fn is_endless(&self) -> bool {
        !matches!(self.state, State::Accounts(_))
    }

    /// The input of a call after calls that used this much gas: new slots, and accounts that were not
    /// read before, are counted from it.
    pub fn input(&self, gas_before: u64) -> Bytes {
        if let Some(data) = self.data {
            return data().into();
        }
        let first = match self.state {
            State::Accounts(_) => gas_before / ACCOUNT_GAS,
            _ => gas_before,
        };
        U256::from(first).to_be_bytes::<32>().into()
    }
}

/// An account with a code of its own, which begins with STOP.
fn numbered(number: u64, code_bytes: usize) -> (Address, WorstAccount) {
    let mut code = vec![0x5b; code_bytes];
    let at = code.len().min(8);
    code[..at].copy_from_slice(&number.to_be_bytes()[..at]);
    let address = Address::from_word((U256::from(FIRST) + U256::from(number)).into());
    (address, WorstAccount { balance: U256::from(1), code: code.into(), ..Default::default() })
}

/// Kinds of blocks that are each measured on their own.
#[rustfmt::skip] // one kind a line
pub const WORST: &[Worst] = &[
    // KECCAK256 of 128 KiB.
    worst("keccak", &[], &hex!("62020000 5f 20 50"), 1, 0x8000),
    // KECCAK256 of 64 bytes, each time of other bytes.
    worst("keccak-64", &hex!("5f"), &hex!("60 01 01 80 5f 52 60 40 5f 20 50"), 32, 0x1000),
    worst("sload", &hex!("5f"), &hex!("80 54 50 60 01 01"), 1, 0x1000).on(State::Slots),
    // Changes the value of an existing slot.
    worst("sstore", &hex!("5f"), &hex!("5a 81 55 60 01 01"), 1, 0x4000).on(State::Slots),
    worst("sstore-new", &hex!("5f 35 62100000 01"), &hex!("5a 81 55 60 01 01"), 1, 0x7000),
    worst("log", &[], &hex!("5f 5f a0"), 8, 0x1000),
    worst("log-4", &[], &hex!("5a 5a 5a 5a 5f 5f a4"), 2, 0x1000),
    // LOG0 of 16 KiB.
    worst("log-data", &[], &hex!("61 4000 5f a0"), 1, 0xffff),
    // Contracts without code.
    worst("create", &[], &hex!("5f 5f 5f f0 50"), 1, 0xa000),
    // CREATE2 with 48 KiB of zeros as init code: its first byte is STOP.
    worst("create2", &[], &hex!("5a 61c000 5f 5f f5 50"), 1, 0xffff),
    // MCOPY within 1 MiB, or as much as the gas pays for.
    worst("mcopy", &[], &hex!("62020000 60 20 5f 5e"), 1, 0xf000),
    worst("memory", &[], &hex!("59 61 0400 01 51 50"), 1, 0x8000),
    // STATICCALL of 0x04 with 96 KiB in and out.
    worst("identity", &[], &hex!("62018000 5f 62018000 5f 6004 5a fa 50"), 1, 0x8000),
    worst("sha256", &[], &hex!("5f 5f 62018000 5f 6002 5a fa 50"), 1, 0xffff),
    worst("ripemd160", &[], &hex!("5f 5f 61 1000 5f 6003 5a fa 50"), 1, 0xffff),
    // 60,000 rounds: 4 bytes, then state, message, offsets and the last flag, 213 bytes in all.
    worst("blake2f", &hex!("61ea60 60e0 1b 5f 52"), &hex!("5f 5f 60d5 5f 6009 5a fa 50"), 1, 0xffff),
    worst("ecrecover", &hex!("601b602052 6001604052 6001606052"), &hex!("5f 5f 6080 5f 6001 5a fa 50"), 1, 0x4000),
    // Operands that make divisions long: a modulus of 193 bits.
    worst("mulmod", &hex!("5f 19 80 60 3f 1c"), &hex!("80 82 83 09 50"), 64, 0x1000),
    worst("addmod", &hex!("5f 19 80 60 3f 1c"), &hex!("80 82 83 08 50"), 64, 0x1000),
    worst("sdiv", &hex!("5f 19 80 60 3f 1c"), &hex!("80 82 05 50"), 64, 0x1000),
    worst("mod", &hex!("5f 19 80 60 3f 1c"), &hex!("80 82 06 50"), 64, 0x1000),
    worst("exp", &hex!("5f 19 80 60 3f 1c"), &hex!("81 82 0a 50"), 1, 0x1000),
    worst("jumpdest", &[], &hex!("5b"), 2_000, 0x1000),
    // Of an account that stops at once: warm after the first time.
    worst("call", &[], &hex!("5f 5f 5f 5f 60ee 5a fa 50"), 16, 0x2000),
    worst("blockhash", &hex!("60ff 43 03"), &hex!("80 40 50"), 64, 0x1000),
    worst("tstore", &hex!("5f"), &hex!("5a 81 5d 60 01 01"), 16, 0x1000),
    // BALANCE of one account after the other.
    worst("balance", &hex!("65010000000000 5f 35 01"), &hex!("80 31 50 60 01 01"), 1, 0x1000).on(State::Accounts(0)),
    // CALL of one large contract after the other, so that its code is analysed.
    worst("code", &hex!("65010000000000 5f 35 01"), &hex!("5f 5f 5f 5f 5f 85 5a f1 50 60 01 01"), 1, 0x1000).on(State::Accounts(CODE_BYTES)),
    worst("codesize", &hex!("65010000000000 5f 35 01"), &hex!("80 3b 50 60 01 01"), 1, 0x1000).on(State::Accounts(CODE_BYTES)),
];

/// The kind of this name.
pub fn find(name: &str) -> &'static Worst {
    WORST.iter().find(|kind| kind.name == name).expect("it is listed")
}

const NUMBERS: &[u8] = &hex!("5f 19 6f ffffffffffffffffffffffffffffffff");

const fn instruction(name: &'static str, body: &'static [u8]) -> Worst {
    worst(name, NUMBERS, body, 20, 0xf000)
}

/// Instructions that no other kind repeats, each with what puts its operands on the stack and takes
/// its result off it. Below them the stack holds a number of 256 bits and one of 128.
#[rustfmt::skip] // one instruction a line
pub const INSTRUCTIONS: &[Worst] = &[
    instruction("ADD", &hex!("80 82 01 50")),
    instruction("MUL", &hex!("80 82 02 50")),
    instruction("SUB", &hex!("80 82 03 50")),
    instruction("DIV", &hex!("80 82 04 50")),
    instruction("SMOD", &hex!("80 82 07 50")),
    instruction("SIGNEXTEND", &hex!("81 60 07 0b 50")),
    instruction("LT", &hex!("80 82 10 50")),
    instruction("GT", &hex!("80 82 11 50")),
    instruction("SLT", &hex!("80 82 12 50")),
    instruction("SGT", &hex!("80 82 13 50")),
    instruction("EQ", &hex!("80 82 14 50")),
    instruction("ISZERO", &hex!("80 15 50")),
    instruction("AND", &hex!("80 82 16 50")),
    instruction("OR", &hex!("80 82 17 50")),
    instruction("XOR", &hex!("80 82 18 50")),
    instruction("NOT", &hex!("80 19 50")),
    instruction("BYTE", &hex!("80 60 07 1a 50")),
    instruction("SHL", &hex!("80 60 07 1b 50")),
    instruction("SHR", &hex!("80 60 07 1c 50")),
    instruction("SAR", &hex!("80 60 07 1d 50")),
    instruction("CLZ", &hex!("80 1e 50")),
    instruction("ADDRESS", &hex!("30 50")),
    instruction("BALANCE", &hex!("30 31 50")),
    instruction("ORIGIN", &hex!("32 50")),
    instruction("CALLER", &hex!("33 50")),
    instruction("CALLVALUE", &hex!("34 50")),
    instruction("CALLDATALOAD", &hex!("5f 35 50")),
    instruction("CALLDATASIZE", &hex!("36 50")),
    instruction("CALLDATACOPY", &hex!("60 20 5f 5f 37")),
    instruction("CODESIZE", &hex!("38 50")),
    instruction("CODECOPY", &hex!("61 0400 5f 5f 39")),
    instruction("GASPRICE", &hex!("3a 50")),
    instruction("EXTCODESIZE", &hex!("30 3b 50")),
    instruction("EXTCODECOPY", &hex!("61 0400 5f 5f 30 3c")),
    instruction("RETURNDATASIZE", &hex!("3d 50")),
    instruction("RETURNDATACOPY", &hex!("5f 5f 5f 3e")),
    instruction("EXTCODEHASH", &hex!("30 3f 50")),
    instruction("COINBASE", &hex!("41 50")),
    instruction("TIMESTAMP", &hex!("42 50")),
    instruction("NUMBER", &hex!("43 50")),
    instruction("PREVRANDAO", &hex!("44 50")),
    instruction("GASLIMIT", &hex!("45 50")),
    instruction("CHAINID", &hex!("46 50")),
    instruction("SELFBALANCE", &hex!("47 50")),
    instruction("BASEFEE", &hex!("48 50")),
    instruction("BLOBHASH", &hex!("5f 49 50")),
    instruction("BLOBBASEFEE", &hex!("4a 50")),
    instruction("MLOAD", &hex!("5f 51 50")),
    instruction("MSTORE", &hex!("80 5f 52")),
    instruction("MSTORE8", &hex!("80 5f 53")),
    instruction("SLOAD, warm", &hex!("5f 54 50")),
    instruction("SSTORE, warm", &hex!("5a 5f 55")),
    instruction("PC", &hex!("58 50")),
    instruction("MSIZE", &hex!("59 50")),
    instruction("GAS", &hex!("5a 50")),
    instruction("TLOAD", &hex!("5f 5c 50")),
    instruction("PUSH0", &hex!("5f 50")),
    instruction("PUSH1", &hex!("60 ff 50")),
    instruction("PUSH32", &hex!("7f ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff 50")),
    instruction("DUP16", &hex!("5f 5f 5f 5f 5f 5f 5f 5f 5f 5f 5f 5f 5f 5f 5f 5f 8f 50 50 50 50 50 50 50 50 50 50 50 50 50 50 50 50 50")),
    instruction("SWAP1", &hex!("90")),
    instruction("CALLCODE", &hex!("5f 5f 5f 5f 5f 60 ee 5a f2 50")),
    instruction("DELEGATECALL", &hex!("5f 5f 5f 5f 60 ee 5a f4 50")),
    instruction("STATICCALL", &hex!("5f 5f 5f 5f 60 ee 5a fa 50")),
    instruction("CALL with value", &hex!("5f 5f 5f 5f 60 01 60 ee 5a f1 50")),
];

/// A precompile at an address of two bytes, called with `data`.
const fn precompile(name: &'static str, body: &'static [u8], data: fn() -> Vec<u8>) -> Worst {
    // The call's data goes to memory.
    let kind = worst(name, &hex!("36 5f 5f 37"), body, 1, 0xf000);
    Worst { data: Some(data), ..kind }
}

/// Calls of precompiles that no other kind repeats, with inputs that take them long.
#[rustfmt::skip] // one precompile a line
pub const PRECOMPILES: &[Worst] = &[
    precompile("ECRECOVER", &hex!("5f 5f 36 5f 6001 5a fa 50"), || {
        let x = hex!("79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798");
        [word(12345), word(27), x, word(54321)].concat()
    }),
    precompile("MODEXP, short", &hex!("5f 5f 36 5f 6005 5a fa 50"), || exponentiation(32, 32)),
    precompile("MODEXP, 8 bytes", &hex!("5f 5f 36 5f 6005 5a fa 50"), || exponentiation(8, 32)),
    precompile("MODEXP, 256 bytes", &hex!("5f 5f 36 5f 6005 5a fa 50"), || exponentiation(256, 32)),
    precompile("MODEXP, 1,024 bytes", &hex!("5f 5f 36 5f 6005 5a fa 50"), || exponentiation(1_024, 1)),
    precompile("BN254_ADD", &hex!("5f 5f 36 5f 6006 5a fa 50"), || hex!("01 02 01 02").map(|n| word(n.into())).concat()),
    precompile("BN254_MUL", &hex!("5f 5f 36 5f 6007 5a fa 50"), || [word(1), word(2), [0xff; 32]].concat()),
    precompile("BN254_PAIRING", &hex!("5f 5f 36 5f 6008 5a fa 50"), || [bn254_pair(), bn254_pair()].concat()),
    precompile("BN254_PAIRING, many", &hex!("5f 5f 36 5f 6008 5a fa 50"), || bn254_pair().repeat(12)),
    precompile("KZG_POINT_EVALUATION", &hex!("5f 5f 36 5f 600a 5a fa 50"), || KZG.to_vec()),
    precompile("BLS12_G1ADD", &hex!("5f 5f 36 5f 600b 5a fa 50"), || g1().repeat(2)),
    precompile("BLS12_G1MSM", &hex!("5f 5f 36 5f 600c 5a fa 50"), || [g1(), vec![0x5f; 32]].concat()),
    precompile("BLS12_G1MSM, many", &hex!("5f 5f 36 5f 600c 5a fa 50"), || [g1(), vec![0x5f; 32]].concat().repeat(24)),
    precompile("BLS12_G2ADD", &hex!("5f 5f 36 5f 600d 5a fa 50"), || g2().repeat(2)),
    precompile("BLS12_G2MSM", &hex!("5f 5f 36 5f 600e 5a fa 50"), || [g2(), vec![0x5f; 32]].concat()),
    precompile("BLS12_G2MSM, many", &hex!("5f 5f 36 5f 600e 5a fa 50"), || [g2(), vec![0x5f; 32]].concat().repeat(14)),
    precompile("BLS12_PAIRING", &hex!("5f 5f 36 5f 600f 5a fa 50"), || [g1(), g2()].concat()),
    precompile("BLS12_PAIRING, many", &hex!("5f 5f 36 5f 600f 5a fa 50"), || [g1(), g2()].concat().repeat(10)),
    precompile("BLS12_MAP_FP", &hex!("5f 5f 36 5f 6010 5a fa 50"), || [word(0), word(7)].concat()),
    precompile("BLS12_MAP_FP2", &hex!("5f 5f 36 5f 6011 5a fa 50"), || [word(0), word(7), word(0), word(8)].concat()),
    precompile("P256VERIFY", &hex!("5f 5f 36 5f 610100 5a fa 50"), || P256.to_vec()),
];

fn word(number: u64) -> [u8; 32] {
    U256::from(number).to_be_bytes()
}

/// Base and modulus of `len` bytes and an exponent of `exponent` bytes, all bits set.
fn exponentiation(len: u64, exponent: u64) -> Vec<u8> {
    let bytes = usize::try_from(2 * len + exponent).expect("short");
    [word(len), word(exponent), word(len)].concat().into_iter().chain(vec![0xff; bytes]).collect()
}

/// The generators of both groups of bn254.
fn bn254_pair() -> Vec<u8> {
    let g2 = hex!(
        "198e9393920d483a7260bfb731fb5d25f1aa493335a9e71297e485b7aef312c2"
        "1800deef121f1e76426a00665e5c4479674322d4f75edadd46debd5cd992f6ed"
        "090689d0585ff075ec9e99ad690c3395bc4b313370b38ef355acdadcd122975b"
        "12c85ea5db8c6deb4aab71808dcb408fe3d1e7690c43d37b4ce6cc0166fa7daa"
    );
    [&word(1)[..], &word(2), &g2].concat()
}

/// Coordinates of a point of BLS12-381, each padded to 64 bytes.
fn padded(coordinates: &[[u8; 48]]) -> Vec<u8> {
    coordinates.iter().flat_map(|coordinate| [&[0; 16][..], coordinate].concat()).collect()
}

/// The generator of the first group of BLS12-381.
fn g1() -> Vec<u8> {
    padded(&[
        hex!(
            "17f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac586c55e83ff97a1aeffb3af00adb22c6bb"
        ),
        hex!(
            "08b3f481e3aaa0f1a09e30ed741d8ae4fcf5e095d5d00af600db18cb2c04b3edd03cc744a2888ae40caa232946c5e7e1"
        ),
    ])
}

/// The generator of the second group of BLS12-381.
fn g2() -> Vec<u8> {
    padded(&[
        hex!(
            "024aa2b2f08f0a91260805272dc51051c6e47ad4fa403b02b4510b647ae3d1770bac0326a805bbefd48056c8c121bdb8"
        ),
        hex!(
            "13e02b6052719f607dacd3a088274f65596bd0d09920b61ab5da61bbdc7f5049334cf11213945d57e5ac7d055d042b7e"
        ),
        hex!(
            "0ce5d527727d6e118cc9cdc6da2e351aadfd9baa8cbdd3a76d429a695160d12c923ac9cc3baca289e193548608b82801"
        ),
        hex!(
            "0606c4a02ea734cc32acd2b02bc28b99cb3e287e85a763af267492ab572e99ab3f370d275cec1da1aaa9075ff05f79be"
        ),
    ])
}

/// A valid input from Ethereum's consensus tests: versioned hash, z, y, commitment, proof.
const KZG: [u8; 192] = hex!(
    "01e798154708fe7789429634053cbf9f99b619f9f084048927333fce637f549b"
    "73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000000"
    "1522a4a7f34e1ea350ae07c29c96c7e79655aa926122e95fe69fcbd932ca49e9"
    "8f59a8d2a1a625a17f3fea0fe5eb8c896db3764f3185481bc22f91b4aaffcca25f26936857bc3a7c2539ea8ec3a952b7"
    "a62ad71d14c5719385c0686f1871430475bf3a00f0aa3f7b8dd99a9abc2160744faf0070725e00b60ad9a026a15b1a8c"
);

/// A valid input from the test vectors of daimo-eth/p256-verifier.
const P256: [u8; 160] = hex!(
    "4cee90eb86eaa050036147a12d49004b6b9c72bd725d39d4785011fe190f0b4d"
    "a73bd4903f0ce3b639bbbf6e8e80d16931ff4bcf5993d58468e8fb19086e8cac"
    "36dbcd03009df8c59286b162af3bd7fcc0450c9aa81be5d10d312af6c66b1d60"
    "4aebd3099c618202fcfe16ae7770b0c49ab5eadf74b754204a3bb6060e44eff3"
    "7618b065f9832de4ca6ca971a7a1adc826d0f7c00181a5fb2ddf79ae00b4e10e"
);

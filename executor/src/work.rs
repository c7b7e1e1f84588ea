//! Work: the time that a transaction takes a verifier, in nanoseconds of a reference core, counted
//! by a table.
//!
//! Gas is far from time for a few operations: a signature costs a verifier six times as much as
//! other computation for the same gas. A transaction has [`WORK_PER_GAS`] of work for each gas of
//! its limit, and uses at least the gas that pays for its work. Ordinary transactions stay far below
//! it, so their gas is Ethereum's.
//!
//! ```text
//! work     = TRANSACTION + access list + authorizations + GAS · gas of execution + what differs
//! gas used = max(gas after refunds, floor of EIP-7623, work / WORK_PER_GAS)
//! ```
//!
//! GAS in the table covers all computation, new slots and accounts included. [`WorkMeter`] counts
//! only what differs from it, one addition at each such operation. A frame gets the share of work
//! that it gets of the gas that is left. A frame with more ends out of gas, and so does a precompile
//! call for which the caller has too little left. Work is not returned when state is reverted.

use alloc::vec::Vec;

use alloy_primitives::{Address, B256};
use revm::interpreter::Gas;

/// Work that each gas of a transaction's limit allows.
pub const WORK_PER_GAS: u64 = 6;

/// A gas of execution.
const GAS: i64 = 2;

/// A transaction, without signers: decoding, sender, receipt, its part of the roots.
pub(crate) const TRANSACTION: i64 = 2_000;

/// An account that a transaction creates by a transfer or a creation at its top level. It stands
/// for growth of the state.
const NEW_ACCOUNT: i64 = 50_000;

/// An address or slot of an access list.
const LISTED: i64 = 300;

/// An authorization (EIP-7702): its signer, and the account that it may create.
const AUTHORIZATION: i64 = 95_000;

/// The first access to a slot.
const COLD: i64 = 300;

/// The first call of an account, whose code is looked up.
const COLD_CALL: i64 = 2_000;

/// The first change of a slot that is not zero, with its part of the roots.
const CHANGED_SLOT: i64 = 1_000;

/// A block of KECCAK256.
const KECCAK_BLOCK: i64 = 300;

/// Bytes of a block of KECCAK256.
const KECCAK_BLOCK_BYTES: usize = 136;

/// A gas of LOG's topics and data.
const LOG_GAS: i64 = 1;

/// MULMOD, beyond its gas.
pub(crate) const MULMOD: i64 = 80;

/// ADDMOD, SELFBALANCE, or a call, beyond its gas.
pub(crate) const LITTLE: i64 = 20;

/// Gas of EIP-2929 for a first access, beyond that of a further one.
const COLD_ACCOUNT_GAS: i64 = 2_500;
const COLD_SLOT_GAS: i64 = 2_000;

/// Gas of the first change of a slot that is not zero, beyond that of an access.
const CHANGED_SLOT_GAS: i64 = 2_800;

/// A cold account, beyond its gas.
pub(crate) const COLD_ACCOUNT: i64 = COLD_CALL - GAS * COLD_ACCOUNT_GAS;

/// A cold slot, beyond its gas.
pub(crate) const COLD_SLOT: i64 = COLD - GAS * COLD_SLOT_GAS;

/// The first change of a slot that is not zero, beyond its gas.
pub(crate) const SLOT_CHANGE: i64 = CHANGED_SLOT - GAS * CHANGED_SLOT_GAS;

/// LOG whose topics and data cost this much gas, beyond that gas.
pub(crate) const fn log(gas: u64) -> i64 {
    (LOG_GAS - GAS) * gas.cast_signed()
}

/// KECCAK256 of this many bytes, beyond the gas that they cost.
pub(crate) fn keccak(bytes: usize, gas: u64) -> i64 {
    let blocks = i64::try_from(bytes / KECCAK_BLOCK_BYTES + 1).unwrap_or(i64::MAX);
    blocks.saturating_mul(KECCAK_BLOCK).saturating_sub(GAS.saturating_mul(gas.cast_signed()))
}

/// Work of a gas of a precompile, by its address.
const PRECOMPILES: [(u16, i64); 15] = [
    (0x01, 14), // ecrecover
    (0x05, 6),  // modular exponentiation
    (0x06, 22), // bn254: addition, multiplication, pairing
    (0x07, 15),
    (0x08, 10),
    (0x09, 10), // BLAKE2 compression
    (0x0a, 28), // KZG point evaluation
    (0x0b, 12), // BLS12-381
    (0x0c, 12),
    (0x0d, 12),
    (0x0e, 12),
    (0x0f, 12),
    (0x10, 12),
    (0x11, 12),
    (0x100, 36), // P-256
];

/// A call of a precompile that costs this much gas, beyond that gas.
fn precompile(address: &Address, gas: u64) -> i64 {
    let (zeros, low) = address.split_last_chunk::<2>().expect("invariant: an address has 20 bytes");
    let low = u16::from_be_bytes(*low);
    let of_gas = PRECOMPILES.iter().find(|(at, _)| *at == low && zeros.iter().all(|b| *b == 0));
    let of_gas = of_gas.map_or(GAS, |(_, of_gas)| *of_gas);
    (of_gas - GAS).saturating_mul(i64::try_from(gas).unwrap_or(i64::MAX))
}

/// The state of an EVM's instructions besides revm's own context.
pub(crate) trait Metered {
    /// Counts work.
    fn meter(&mut self) -> &mut WorkMeter;

    /// KECCAK256 of what `contract` hashes.
    fn keccak256(&mut self, contract: Address, input: &[u8]) -> B256;
}

/// Counts the work of a sandbox's or block's transactions.
#[derive(Debug, Default)]
pub struct WorkMeter {
    /// Whether transactions have a limit of work.
    is_on: bool,
    /// Work so far, without [`GAS`] for the gas of execution.
    beyond_gas: i64,
    /// For each open frame, what `beyond_gas` and the work of its own gas may reach together.
    limits: Vec<i64>,
    /// The last of `limits`.
    limit: i64,
    /// Work that the frame that calls has left.
    left_to_caller: i64,
    /// Maximum work of the transaction.
    work_max: u64,
    /// Work of the last transaction.
    total: u64,
}

impl WorkMeter {
    pub(crate) fn new(is_on: bool) -> Self {
        Self { is_on, ..Self::default() }
    }

    /// Starts a transaction.
    pub(crate) fn begin(&mut self, gas_limit: u64, listed: usize, authorizations: usize) {
        let many =
            |count: usize, work: i64| i64::try_from(count).unwrap_or(i64::MAX).saturating_mul(work);
        let lists = many(listed, LISTED).saturating_add(many(authorizations, AUTHORIZATION));
        self.beyond_gas = TRANSACTION.saturating_add(lists);
        self.work_max = if self.is_on { gas_limit.saturating_mul(WORK_PER_GAS) } else { u64::MAX };
        self.limit = i64::try_from(self.work_max).unwrap_or(i64::MAX);
        self.limits.clear();
    }

    /// Counts work beyond that of gas.
    pub(crate) const fn count(&mut self, work: i64) {
        self.beyond_gas = self.beyond_gas.saturating_add(work);
    }

    /// Counts this work beyond that of gas, if the frame with this gas has it left.
    pub(crate) const fn take(&mut self, gas: &Gas, work: i64) -> bool {
        let is_covered = self.left(gas) >= work;
        if is_covered {
            self.count(work);
        }
        is_covered
    }

    /// Counts the work of a call of the precompile at `address` that costs this much gas, if the
    /// caller has it left.
    pub(crate) fn take_of_caller(&mut self, address: &Address, gas: u64) -> bool {
        let beyond_gas = precompile(address, gas);
        let of_gas = GAS.saturating_mul(i64::try_from(gas).unwrap_or(i64::MAX));
        let is_covered = self.left_to_caller >= beyond_gas.saturating_add(of_gas);
        if is_covered {
            self.count(beyond_gas);
        }
        is_covered
    }

    /// Work that the frame with this gas has left.
    const fn left(&self, gas: &Gas) -> i64 {
        if !self.is_on {
            return i64::MAX;
        }
        let own = GAS.saturating_mul(spent(gas));
        self.limit.saturating_sub(self.beyond_gas).saturating_sub(own)
    }

    /// Work that the frame with this gas has left if it does not open a frame with `given` gas.
    const fn left_with(&self, gas: &Gas, given: u64) -> i64 {
        self.left(gas).saturating_add(GAS.saturating_mul(given.cast_signed()))
    }

    /// Whether the frame with this gas has more work than its share. `given` is the gas that it
    /// gives to a frame that it opens now.
    pub(crate) const fn is_over(&self, gas: &Gas, given: u64) -> bool {
        self.left_with(gas, given) < 0
    }

    /// Computes what a call or creation with `given` gas may work. `gas` is that of its caller.
    pub(crate) fn call(&mut self, gas: &Gas, given: u64) -> i64 {
        let left = self.left_with(gas, given).max(0);
        self.left_to_caller = left;
        let all = u128::from(gas.remaining()) + u128::from(given);
        let share = u128::from(left.unsigned_abs()) * u128::from(given) / all.max(1);
        i64::try_from(share).unwrap_or(i64::MAX)
    }

    /// Opens a frame that may work this much.
    pub(crate) fn open_frame(&mut self, share: i64) {
        self.limit = self.beyond_gas.saturating_add(share);
        self.limits.push(self.limit);
    }

    /// Opens the outermost frame, which may work as much as the transaction.
    pub(crate) fn open_first_frame(&mut self, creates_account: bool) {
        if creates_account {
            self.count(NEW_ACCOUNT);
        }
        self.left_to_caller =
            if self.is_on { self.limit.saturating_sub(self.beyond_gas) } else { i64::MAX };
        self.limits.push(self.limit);
    }

    /// Ends the innermost frame.
    pub(crate) fn close_frame(&mut self) {
        self.limits.pop();
        self.limit = self.limits.last().copied().unwrap_or(self.limit);
    }

    /// Ends a transaction that used this much gas in execution, refunds aside. Returns the least
    /// gas that it uses.
    pub(crate) fn finish(&mut self, gas: u64) -> u64 {
        let of_gas = GAS.saturating_mul(i64::try_from(gas).unwrap_or(i64::MAX));
        let total = self.beyond_gas.saturating_add(of_gas).max(0).unsigned_abs();
        // A transaction that passes its limit ends out of gas.
        self.total = if self.is_on { total.min(self.work_max) } else { 0 };
        self.total.div_ceil(WORK_PER_GAS)
    }

    /// Work of the last transaction.
    pub(crate) const fn total(&self) -> u64 {
        self.total
    }
}

/// Work of a plain transfer.
pub(crate) const fn of_transfer(creates_account: bool) -> u64 {
    let new = if creates_account { NEW_ACCOUNT } else { 0 };
    (TRANSACTION + new).unsigned_abs()
}

/// Gas that a frame has spent. What it gave to frames inside it counts as spent until it returns.
const fn spent(gas: &Gas) -> i64 {
    gas.limit().cast_signed().saturating_sub(gas.remaining().cast_signed())
}

//! Addresses of contracts that exist from genesis. They equal the OP stack's where the semantics
//! match.

use alloy_primitives::{Address, address};

/// `GasPriceOracle`: `getL1Fee(bytes)` and the parameters behind it.
pub const GAS_PRICE_ORACLE: Address = address!("420000000000000000000000000000000000000F");
/// `L2StandardBridge`: the L2 side of the bridge. Its storage holds the L1 bridge's address.
pub const L2_STANDARD_BRIDGE: Address = address!("4200000000000000000000000000000000000010");
/// Receives priority fees; the beneficiary of every block.
pub const SEQUENCER_FEE_VAULT: Address = address!("4200000000000000000000000000000000000011");
/// `OptimismMintableERC20Factory`: creates tokens that represent L1 tokens.
pub const MINTABLE_ERC20_FACTORY: Address = address!("4200000000000000000000000000000000000012");
/// `L1Block`: the L1 attributes of the current origin.
pub const L1_BLOCK: Address = address!("4200000000000000000000000000000000000015");
/// `L2ToL1MessagePasser`: its storage root is part of the output root.
pub const MESSAGE_PASSER: Address = address!("4200000000000000000000000000000000000016");
/// Receives base fees.
pub const BASE_FEE_VAULT: Address = address!("4200000000000000000000000000000000000019");
/// Receives L1 data fees.
pub const L1_FEE_VAULT: Address = address!("420000000000000000000000000000000000001A");
/// The EIP-2935 history contract.
pub const HISTORY_STORAGE: Address = address!("0000F90827F1C53a10cb7A02335B175320002935");

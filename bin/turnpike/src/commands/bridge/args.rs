use std::path::PathBuf;

use alloy_primitives::{Address, B256, Bytes, U256};
use clap::{Args, Subcommand};

use crate::common::{Key, parse_amount};

#[derive(Debug, Args)]
pub(crate) struct BridgeArgs {
    #[command(subcommand)]
    pub(crate) command: BridgeCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum BridgeCommand {
    /// Send ether, a call or tokens from L1 to L2.
    Deposit(DepositArgs),
    /// Send ether, a call or tokens from L2 to L1: the first of three steps.
    Withdraw(WithdrawArgs),
    /// Prove a withdrawal on L1, once an output covers it: the second of three steps. Anyone may do it.
    Prove(ProveArgs),
    /// Finalize a proven withdrawal after its waiting time: L1 makes its call. The last of three steps. Anyone may do it.
    Finalize(ProveArgs),
    /// Print the stage of a deposit or a withdrawal, the next step and when it is possible.
    Status(StatusArgs),
    /// Send an L2 transaction through L1, where the sequencer cannot leave it out.
    Force(ForceArgs),
}

#[derive(Debug, Args)]
pub(crate) struct EndpointArgs {
    /// The chain's genesis file, deployed.
    #[arg(long, value_name = "FILE", env = "TURNPIKE_GENESIS")]
    pub(crate) genesis: PathBuf,
    /// L1 endpoint.
    #[arg(long, value_name = "URL", env = "TURNPIKE_L1_URL", hide_env_values = true)]
    pub(crate) l1_url: String,
    /// L1's beacon API, which serves blobs. Without it, blobs are requested from the L1 endpoint. Only used with --from-l1.
    #[arg(long, value_name = "URL", env = "TURNPIKE_L1_BEACON_URL", hide_env_values = true)]
    pub(crate) l1_beacon_url: Option<String>,
    /// L2 endpoint.
    #[arg(long, value_name = "URL", env = "TURNPIKE_L2_URL", hide_env_values = true)]
    pub(crate) l2_url: Option<String>,
    /// Milliseconds between checks while waiting.
    #[arg(long, value_name = "MS", default_value_t = 1_000)]
    pub(crate) poll_ms: u64,
    /// Print JSON lines.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DepositArgs {
    #[command(flatten)]
    pub(crate) endpoints: EndpointArgs,
    /// Key of the account that pays; the same account sends on L2.
    #[arg(long, env = "TURNPIKE_KEY", hide_env_values = true)]
    pub(crate) key: Key,
    /// Amount: `1.5ether`, `20gwei`, or a number of wei. With --token, of the token's smallest unit.
    #[arg(long, value_parser = parse_amount)]
    pub(crate) amount: U256,
    /// Recipient on L2; by default the sender.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) to: Option<Address>,
    /// Token on L1; by default ether.
    #[arg(long, value_name = "ADDRESS", requires = "l2_token")]
    pub(crate) token: Option<Address>,
    /// The bridged token on L2.
    #[arg(long, value_name = "ADDRESS", requires = "token")]
    pub(crate) l2_token: Option<Address>,
    /// L2 gas of the call, paid in L1 gas.
    #[arg(long, value_name = "GAS")]
    pub(crate) gas_limit: Option<u64>,
    /// Data of the call on L2.
    #[arg(long, value_name = "HEX", default_value = "0x")]
    pub(crate) data: Bytes,
    /// Return once L1 holds the deposit; do not wait for L2.
    #[arg(long)]
    pub(crate) no_wait: bool,
}

#[derive(Debug, Args)]
pub(crate) struct WithdrawArgs {
    #[command(flatten)]
    pub(crate) endpoints: EndpointArgs,
    /// Key of the account that sends on L2.
    #[arg(long, env = "TURNPIKE_KEY", hide_env_values = true)]
    pub(crate) key: Key,
    /// Amount: `1.5ether`, `20gwei`, or a number of wei. With --token, of the token's smallest unit.
    #[arg(long, value_parser = parse_amount)]
    pub(crate) amount: U256,
    /// Recipient on L1; by default the sender.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) to: Option<Address>,
    /// Bridged token on L2; by default ether.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) token: Option<Address>,
    /// Least L1 gas of the call.
    #[arg(long, value_name = "GAS")]
    pub(crate) gas_limit: Option<u32>,
    /// Data of the call on L1.
    #[arg(long, value_name = "HEX", default_value = "0x")]
    pub(crate) data: Bytes,
}

/// Which withdrawal, and where to look for it.
#[derive(Debug, Args)]
pub(crate) struct WithdrawalArgs {
    /// The withdrawal's L2 transaction, or the L1 transaction that forced it.
    #[arg(value_name = "TX")]
    pub(crate) transaction: B256,
    /// The place of the message among the transaction's messages to L1, from 0.
    #[arg(long, value_name = "INDEX")]
    pub(crate) index: Option<usize>,
    /// Use no L2 node: derive and execute the chain here, from L1 and the genesis file alone.
    #[arg(long)]
    pub(crate) from_l1: bool,
    /// L1 blocks on top of a block before --from-l1 uses it.
    #[arg(long, value_name = "BLOCKS", default_value_t = 0)]
    pub(crate) l1_confirmations: u64,
}

#[derive(Debug, Args)]
pub(crate) struct ProveArgs {
    #[command(flatten)]
    pub(crate) endpoints: EndpointArgs,
    #[command(flatten)]
    pub(crate) withdrawal: WithdrawalArgs,
    /// Key of the account that pays L1 gas.
    #[arg(long, env = "TURNPIKE_KEY", hide_env_values = true)]
    pub(crate) key: Key,
    /// Wait until the step is possible.
    #[arg(long)]
    pub(crate) wait: bool,
}

#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    pub(crate) endpoints: EndpointArgs,
    #[command(flatten)]
    pub(crate) withdrawal: WithdrawalArgs,
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["to", "withdraw", "include"]).multiple(true))]
pub(crate) struct ForceArgs {
    #[command(flatten)]
    pub(crate) endpoints: EndpointArgs,
    /// Key of the account that sends on both layers and pays L1 gas.
    #[arg(long, env = "TURNPIKE_KEY", hide_env_values = true)]
    pub(crate) key: Key,
    /// The account called on L2; with --withdraw, the recipient on L1.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) to: Option<Address>,
    /// Ether sent with the call, from the account's balance on L2.
    #[arg(long, value_name = "AMOUNT", default_value = "0", value_parser = parse_amount)]
    pub(crate) value: U256,
    /// Data of the call.
    #[arg(long, value_name = "HEX", default_value = "0x")]
    pub(crate) data: Bytes,
    /// L2 gas of the call, paid in L1 gas.
    #[arg(long, value_name = "GAS")]
    pub(crate) gas_limit: Option<u64>,
    /// Withdraw ether from the account's balance on L2.
    #[arg(long, value_name = "AMOUNT", value_parser = parse_amount, conflicts_with_all = ["value", "data"])]
    pub(crate) withdraw: Option<U256>,
    /// Append overdue transactions to the inbox without the sequencer.
    #[arg(long, conflicts_with_all = ["to", "withdraw", "value", "data", "gas_limit"])]
    pub(crate) include: bool,
    /// With --include: wait until a transaction is overdue.
    #[arg(long, requires = "include")]
    pub(crate) wait: bool,
}

//! Deployed contracts and the genesis file that they belong to.
#![allow(unused_crate_dependencies)] // the library's

mod check;
mod production;

use alloy::signers::local::{MnemonicBuilder, PrivateKeySigner, coins_bip39::English};
use alloy_primitives::B256;
use turnpike_protocol::OutputRoot;

fn account(index: u32) -> PrivateKeySigner {
    let phrase = "test test test test test test test test test test test junk";
    let builder = MnemonicBuilder::<English>::default().phrase(phrase).index(index);
    builder.and_then(|builder| builder.build()).expect("a key")
}

const fn genesis_output() -> OutputRoot {
    OutputRoot {
        state_root: B256::repeat_byte(1),
        message_passer_storage_root: B256::repeat_byte(2),
        block_hash: B256::repeat_byte(3),
    }
}

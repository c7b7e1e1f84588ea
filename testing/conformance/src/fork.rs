//! Names of hard forks, and which one a block runs under.

use alloy_consensus::Header;

use crate::execute::Fork;

/// Hard forks by the names the suites use for them.
///
/// `Constantinople` with EIP-1283 was never live on mainnet, and revm lacks it: it runs as
/// Petersburg, which is the same without EIP-1283. `expected.rs` lists the cases where that makes a
/// difference.
const NAMES: [(&str, Fork); 19] = [
    ("Frontier", Fork::FRONTIER),
    ("Homestead", Fork::HOMESTEAD),
    ("EIP150", Fork::TANGERINE),
    ("TangerineWhistle", Fork::TANGERINE),
    ("EIP158", Fork::SPURIOUS_DRAGON),
    ("SpuriousDragon", Fork::SPURIOUS_DRAGON),
    ("Byzantium", Fork::BYZANTIUM),
    ("Constantinople", Fork::PETERSBURG),
    ("ConstantinopleFix", Fork::PETERSBURG),
    ("Petersburg", Fork::PETERSBURG),
    ("Istanbul", Fork::ISTANBUL),
    ("Berlin", Fork::BERLIN),
    ("London", Fork::LONDON),
    ("Paris", Fork::MERGE),
    ("Merge", Fork::MERGE),
    ("Shanghai", Fork::SHANGHAI),
    ("Cancun", Fork::CANCUN),
    ("Prague", Fork::PRAGUE),
    ("Osaka", Fork::OSAKA),
];

/// First mainnet block of each fork up to the merge (execution-specs,
/// `network-upgrades/mainnet-upgrades`).
const MAINNET_BLOCKS: [(u64, &str); 10] = [
    (15_537_394, "Paris"),
    (12_965_000, "London"),
    (12_244_000, "Berlin"),
    (9_069_000, "Istanbul"),
    (7_280_000, "ConstantinopleFix"),
    (4_370_000, "Byzantium"),
    (2_675_000, "EIP158"),
    (2_463_000, "EIP150"),
    (1_150_000, "Homestead"),
    (0, "Frontier"),
];

/// First mainnet timestamp of each fork after the merge.
const MAINNET_TIMES: [(u64, &str); 4] = [
    (1_764_798_551, "Osaka"),
    (1_746_612_311, "Prague"),
    (1_710_338_135, "Cancun"),
    (1_681_338_455, "Shanghai"),
];

/// The fork with this name.
pub(crate) fn named(name: &str) -> Option<Fork> {
    NAMES.iter().find(|(known, _)| *known == name).map(|(_, fork)| *fork)
}

/// Name of the fork that a block runs under: by schedule on mainnet, by the header's fields
/// elsewhere.
pub(crate) fn of_header(chain_id: u64, header: &Header) -> &'static str {
    if chain_id == 1 {
        on_mainnet(header.number, header.timestamp)
    } else if header.requests_hash.is_some() {
        "Prague"
    } else if header.excess_blob_gas.is_some() {
        "Cancun"
    } else if header.withdrawals_root.is_some() {
        "Shanghai"
    } else {
        "Paris"
    }
}

/// Name of the fork that a mainnet block with this number and timestamp runs under.
fn on_mainnet(number: u64, timestamp: u64) -> &'static str {
    let by_time = MAINNET_TIMES.iter().find(|(time, _)| timestamp >= *time);
    let by_number = MAINNET_BLOCKS.iter().find(|(first, _)| number >= *first);
    by_time.or(by_number).map_or("Frontier", |(_, name)| name)
}

/// Position of a fork in history; unknown names come last.
pub(crate) fn position(name: &str) -> usize {
    NAMES.iter().position(|(known, _)| *known == name).unwrap_or(NAMES.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mainnet_forks_start_at_their_first_block() {
        for (number, timestamp, name) in [
            (0, 0, "Frontier"),
            (1_149_999, 0, "Frontier"),
            (1_150_000, 0, "Homestead"),
            (4_370_000, 1_508_131_331, "Byzantium"),
            (15_537_393, 1_663_224_162, "London"),
            (15_537_394, 1_663_224_179, "Paris"),
            (17_034_869, 1_681_338_443, "Paris"),
            (17_034_870, 1_681_338_455, "Shanghai"),
            (19_426_586, 1_710_338_123, "Shanghai"),
            (19_426_587, 1_710_338_135, "Cancun"),
        ] {
            assert_eq!(on_mainnet(number, timestamp), name, "{number}");
        }
        assert!(MAINNET_BLOCKS.iter().chain(&MAINNET_TIMES).all(|(_, name)| named(name).is_some()));
    }
}

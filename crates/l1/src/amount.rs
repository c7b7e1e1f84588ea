use alloy_primitives::{U256, utils::format_ether};

/// Formats wei as ether without trailing zeros: `1.5 ether`.
pub fn ether(wei: U256) -> String {
    let text = format_ether(wei);
    let text = text.trim_end_matches('0').trim_end_matches('.');
    format!("{text} ether")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ether_has_no_trailing_zeros() {
        let milliether = U256::from(1_000_000_000_000_000_u64);
        assert_eq!(ether(milliether * U256::from(1_500)), "1.5 ether");
        assert_eq!(ether(milliether * U256::from(100)), "0.1 ether");
        assert_eq!(ether(milliether * U256::from(100_000)), "100 ether");
        assert_eq!(ether(U256::ONE), "0.000000000000000001 ether");
        assert_eq!(ether(U256::ZERO), "0 ether");
    }
}

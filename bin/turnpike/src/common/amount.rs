use alloy_primitives::{
    U256,
    utils::{ParseUnits, parse_units},
};

/// Units and their decimals; a name comes before the names that it ends with.
const UNITS: [(&str, u8); 4] = [("ether", 18), ("eth", 18), ("gwei", 9), ("wei", 0)];

/// Parses an amount in wei: `1.5ether`, `20gwei`, `7wei` or `7`.
pub(crate) fn parse_amount(text: &str) -> Result<U256, String> {
    let expected = || "expected an amount like 1.5ether, 20gwei or a number of wei".to_owned();
    let unit = UNITS.into_iter().find_map(|(name, decimals)| {
        text.strip_suffix(name).map(|number| (number.trim_end(), decimals))
    });
    let (number, decimals) = unit.unwrap_or((text, 0));
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) {
        return Err(expected());
    }
    if fraction.len() > usize::from(decimals) {
        return Err(format!("{}: more decimals than the unit has", expected()));
    }
    match parse_units(number, decimals) {
        Ok(ParseUnits::U256(amount)) => Ok(amount),
        _ => Err(expected()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_parse_with_and_without_units() {
        let wei = |text| parse_amount(text).map(|amount| amount.to::<u128>());
        assert_eq!(wei("1.5ether"), Ok(1_500_000_000_000_000_000));
        assert_eq!(wei("2 eth"), Ok(2_000_000_000_000_000_000));
        assert_eq!(wei("0.5gwei"), Ok(500_000_000));
        assert_eq!(wei("7wei"), Ok(7));
        assert_eq!(wei("7"), Ok(7));
        assert_eq!(wei("0.000000000000000001ether"), Ok(1));
    }

    #[test]
    fn malformed_amounts_are_rejected() {
        let bad = ["", "ether", "1.5", "-1ether", "1e18", "0x10", "1.5wei", "1,5ether", ".5ether"];
        for text in bad.into_iter().chain(["0.0000000000000000001ether", "1 2ether"]) {
            parse_amount(text).expect_err(text);
        }
        let huge = "9".repeat(90);
        parse_amount(&huge).expect_err("more than 256 bits");
    }
}

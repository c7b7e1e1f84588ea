//! Numbers as test files write them.

use std::fmt;

use alloy_primitives::{B256, U256};
use serde::{Deserialize, Deserializer, de};

use crate::error::OutOfRange;

/// A number as the files write it: hexadecimal text of any length, `0x:bigint 0x…` (deliberately
/// too long), or a JSON number. It is converted late, because an oversized number can be the point
/// of a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Quantity(String);

impl Quantity {
    pub(crate) fn u256(&self, field: &'static str) -> Result<U256, OutOfRange> {
        let text = self.0.strip_prefix("0x:bigint ").unwrap_or(&self.0);
        let digits = text.strip_prefix("0x");
        let value = match digits {
            Some("") => Some(U256::ZERO),
            Some(digits) => U256::from_str_radix(digits, 16).ok(),
            None => U256::from_str_radix(text, 10).ok(),
        };
        value.ok_or_else(|| self.out_of_range(field))
    }

    pub(crate) fn u128(&self, field: &'static str) -> Result<u128, OutOfRange> {
        self.u256(field)?.try_into().map_err(|_| self.out_of_range(field))
    }

    pub(crate) fn u64(&self, field: &'static str) -> Result<u64, OutOfRange> {
        self.u256(field)?.try_into().map_err(|_| self.out_of_range(field))
    }

    pub(crate) fn u8(&self, field: &'static str) -> Result<u8, OutOfRange> {
        self.u256(field)?.try_into().map_err(|_| self.out_of_range(field))
    }

    pub(crate) fn word(&self, field: &'static str) -> Result<B256, OutOfRange> {
        self.u256(field).map(B256::from)
    }

    fn out_of_range(&self, field: &'static str) -> OutOfRange {
        OutOfRange { field, value: self.0.clone() }
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(QuantityVisitor)
    }
}

struct QuantityVisitor;

impl de::Visitor<'_> for QuantityVisitor {
    type Value = Quantity;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number or hexadecimal text")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Quantity, E> {
        Ok(Quantity(text.to_owned()))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Quantity, E> {
        Ok(Quantity(value.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quantity(json: &str) -> Quantity {
        serde_json::from_str(json).expect("a quantity")
    }

    #[test]
    fn reads_every_notation() {
        for json in [r#""0x0a""#, r#""0x000a""#, r#""0x:bigint 0x0a""#, r#""10""#, "10"] {
            assert_eq!(quantity(json).u64("field"), Ok(10), "{json}");
        }
        assert_eq!(quantity(r#""0x""#).u64("field"), Ok(0));
    }

    #[test]
    fn oversized_number_is_out_of_range() {
        let long = format!("\"0x:bigint 0x1{}\"", "00".repeat(32));
        assert!(quantity(&long).u256("field").is_err());
        assert!(quantity(r#""0x10000000000000000""#).u64("field").is_err());
        assert!(quantity(r#""0xzz""#).u256("field").is_err());
        assert_eq!(
            quantity(r#""0x100""#).u8("yParity").map_err(|error| error.to_string()),
            Err("yParity is out of range: 0x100".to_owned())
        );
    }
}

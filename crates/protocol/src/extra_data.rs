//! What a header's `extraData` holds: the backlog of gas after the block, and the milliseconds of
//! its time.

use alloy_primitives::Bytes;

use crate::Header;

/// Version of [`extra_data`].
const VERSION: u8 = 2;

/// Bytes of a header's `extraData`.
const LEN: usize = 19;

/// `extraData` of a block: the version, the backlog of gas after the block (8 bytes), 8 bytes that
/// are zero, and 2 bytes of milliseconds, which the header's `timestamp` lacks. Big-endian.
pub fn extra_data(gas_backlog: u64, time_ms: u64) -> Bytes {
    let mut bytes = [0; LEN];
    bytes[0] = VERSION;
    bytes[1..9].copy_from_slice(&gas_backlog.to_be_bytes());
    let [.., high, low] = (time_ms % 1_000).to_be_bytes();
    bytes[LEN - 2..].copy_from_slice(&[high, low]);
    Bytes::copy_from_slice(&bytes)
}

/// The backlog of gas after a block.
pub fn gas_backlog(header: &Header) -> u64 {
    fields(header)
        .map_or(0, |[_, a, b, c, d, e, f, g, h, ..]| u64::from_be_bytes([a, b, c, d, e, f, g, h]))
}

/// Time of a block, in milliseconds.
pub fn time_ms(header: &Header) -> u64 {
    let rest = fields(header).map_or(0, |[.., high, low]| u16::from_be_bytes([high, low]));
    header.timestamp.saturating_mul(1_000).saturating_add(rest.into())
}

/// `None` if no rule of the chain makes such a header.
fn fields(header: &Header) -> Option<[u8; LEN]> {
    header.extra_data[..].try_into().ok()
}

#[cfg(test)]
mod tests {
    use alloy_primitives::hex;

    use super::*;

    #[test]
    fn extra_data_holds_backlog_and_milliseconds() {
        let extra_data = extra_data(0x0102_0304_0506_0708, 1_800_000_000_999);
        let expected = hex!("02 0102030405060708 0000000000000000 03e7");
        assert_eq!(extra_data, Bytes::copy_from_slice(&expected));
        let header = Header { timestamp: 1_800_000_000, extra_data, ..Header::default() };
        assert_eq!(gas_backlog(&header), 0x0102_0304_0506_0708);
        assert_eq!(time_ms(&header), 1_800_000_000_999);
        let other = Header { extra_data: Bytes::from_static(&[9; 18]), ..header };
        assert_eq!((gas_backlog(&other), time_ms(&other)), (0, 1_800_000_000_000));
    }
}

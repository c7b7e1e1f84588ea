//! What a header's `extraData` holds: the backlog of gas and work after the block, and the
//! milliseconds of its time.

use alloy_primitives::Bytes;

use crate::{Header, Load};

/// Version of [`extra_data`].
const VERSION: u8 = 2;

/// Bytes of a header's `extraData`.
const LEN: usize = 19;

/// `extraData` of a block: the version, the backlog of gas (8 bytes) and of work (8 bytes) after the
/// block, and 2 bytes of milliseconds, which the header's `timestamp` lacks. Big-endian.
pub fn extra_data(backlog: Load, time_ms: u64) -> Bytes {
    let mut bytes = [0; LEN];
    bytes[0] = VERSION;
    bytes[1..9].copy_from_slice(&backlog.gas.to_be_bytes());
    bytes[9..17].copy_from_slice(&backlog.work.to_be_bytes());
    let [.., high, low] = (time_ms % 1_000).to_be_bytes();
    bytes[LEN - 2..].copy_from_slice(&[high, low]);
    Bytes::copy_from_slice(&bytes)
}

/// The backlog after a block.
pub fn backlog(header: &Header) -> Load {
    let Some(fields) = fields(header) else { return Load::default() };
    let ([a, b, ..], _) = fields[1..].as_chunks::<8>() else { return Load::default() };
    Load { gas: u64::from_be_bytes(*a), work: u64::from_be_bytes(*b) }
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
    fn extra_data_holds_backlogs_and_milliseconds() {
        let load = Load { gas: 0x0102_0304_0506_0708, work: 0x1112_1314_1516_1718 };
        let extra_data = extra_data(load, 1_800_000_000_999);
        let expected = hex!("02 0102030405060708 1112131415161718 03e7");
        assert_eq!(extra_data, Bytes::copy_from_slice(&expected));
        let header = Header { timestamp: 1_800_000_000, extra_data, ..Header::default() };
        assert_eq!(backlog(&header), load);
        assert_eq!(time_ms(&header), 1_800_000_000_999);
        let other = Header { extra_data: Bytes::from_static(&[9; 18]), ..header };
        assert_eq!((backlog(&other), time_ms(&other)), (Load::default(), 1_800_000_000_000));
    }
}

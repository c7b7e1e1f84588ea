//! Encodes and splits segments without the crate's own code.

/// The offsets where each frame begins and where the last one ends.
pub(crate) fn boundaries(bytes: &[u8]) -> Vec<usize> {
    let mut at = vec![0];
    while let Some(length) =
        bytes.get(*at.last().expect("not empty")..).and_then(<[u8]>::first_chunk)
    {
        let length = usize::try_from(u32::from_le_bytes(*length)).expect("64 bits");
        at.push(at.last().expect("not empty") + length + 8);
    }
    assert_eq!(at.last(), Some(&bytes.len()));
    at
}

/// The payloads between header and footer.
pub(crate) fn payloads(bytes: &[u8]) -> Vec<Vec<u8>> {
    let at = boundaries(bytes);
    let frames = at.windows(2).map(|range| bytes[range[0] + 4..range[1] - 4].to_vec());
    let mut payloads: Vec<_> = frames.collect();
    payloads.pop();
    payloads
}

/// A segment of these payloads, with valid checksums and a valid footer.
pub(crate) fn framed(payloads: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    payloads.iter().for_each(|payload| frame(payload, &mut bytes));
    let sum = crc32fast::hash(&bytes);
    with_footer(&bytes, payloads.len() - 1, sum)
}

/// These frames and a footer with this number of records and this checksum.
pub(crate) fn with_footer(frames: &[u8], records: usize, sum: u32) -> Vec<u8> {
    let mut footer = vec![4];
    footer.extend(u64::try_from(records).expect("fits 64 bits").to_le_bytes());
    footer.extend(sum.to_le_bytes());
    let mut bytes = frames.to_vec();
    frame(&footer, &mut bytes);
    bytes
}

fn frame(payload: &[u8], bytes: &mut Vec<u8>) {
    let mut frame = u32::try_from(payload.len()).expect("fits 32 bits").to_le_bytes().to_vec();
    frame.extend(payload);
    bytes.extend(&frame);
    bytes.extend(crc32fast::hash(&frame).to_le_bytes());
}

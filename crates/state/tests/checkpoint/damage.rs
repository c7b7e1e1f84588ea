//! Damaged segments are rejected, whether the damage is accidental or deliberate.

use std::fs;

use proptest::{
    collection,
    prelude::*,
    test_runner::{TestRng, TestRunner},
};
use tempfile::TempDir;
use turnpike_state::checkpoint::{Discarded, Segment, SegmentError, load};

use crate::{
    frames::{boundaries, framed, payloads, with_footer},
    written::{Written, base, content, delta},
};

/// Every segment, the block that remains usable if it is damaged, and the segments that then become
/// unreachable.
const DAMAGES: [(Segment, u64, &[Segment]); 6] = [
    (delta(40, 50), 40, &[]),
    (delta(35, 40), 35, &[delta(40, 50)]),
    (base(35), 30, &[delta(40, 50), delta(35, 40)]),
    (delta(20, 30), 50, &[]),
    (delta(10, 20), 50, &[]),
    (base(10), 50, &[]),
];

/// Damages one segment and expects that loading ends before it.
fn expect_refused(written: &Written, index: usize, bytes: &[u8]) {
    let (segment, left, out_of_reach) = DAMAGES[index];
    let intact = written.read(segment);
    written.write(segment, bytes);
    let (block, discarded) = written.load();
    written.write(segment, &intact);
    assert_eq!(block, Some(left), "{segment}");
    let is_spare = left == 50;
    let expected: Vec<Segment> =
        (!is_spare).then_some(segment).into_iter().chain(out_of_reach.iter().copied()).collect();
    let found: Vec<Segment> = discarded.iter().map(|discarded| discarded.segment).collect();
    assert_eq!(found, expected);
    for Discarded { segment: other, reason } in discarded {
        let unreachable = matches!(reason, SegmentError::Unreachable { .. });
        assert_eq!(unreachable, other != segment, "{other}: {reason}");
    }
}

fn random() -> TestRng {
    TestRunner::deterministic().new_rng()
}

#[test]
fn segment_cut_at_any_record_or_byte_is_rejected() {
    let written = Written::new();
    let mut random = random();
    for (index, (segment, ..)) in DAMAGES.into_iter().enumerate() {
        let intact = written.read(segment);
        assert_eq!(framed(&payloads(&intact)), intact, "the test's encoder follows the format");
        let mut cuts = boundaries(&intact);
        cuts.pop();
        cuts.extend((0..200 / DAMAGES.len() + 1).map(|_| random.random_range(0..intact.len())));
        for cut in cuts {
            expect_refused(&written, index, &intact[..cut]);
        }
        let longer = [&intact[..], &[0]].concat();
        expect_refused(&written, index, &longer);
        expect_refused(&written, index, &[&intact[..], &intact].concat());
    }
    assert_eq!(written.load(), (Some(50), Vec::new()));
}

#[test]
fn segment_with_any_flipped_bit_is_rejected() {
    let written = Written::new();
    let mut random = random();
    for (index, (segment, ..)) in DAMAGES.into_iter().enumerate() {
        let intact = written.read(segment);
        for _ in 0..60 {
            let mut bytes = intact.clone();
            bytes[random.random_range(0..intact.len())] ^= 1 << random.random_range(0..8);
            expect_refused(&written, index, &bytes);
        }
    }
}

/// Breaks each check separately, while all other checks pass.
#[test]
fn each_checksum_and_the_record_count_are_checked() {
    let written = Written::new();
    let intact = written.read(delta(40, 50));
    let at = boundaries(&intact);
    let footer = at[at.len() - 2];
    let reason = |bytes: &[u8]| {
        written.write(delta(40, 50), bytes);
        let (block, mut discarded) = written.load();
        assert_eq!((block, discarded.len()), (Some(40), 1));
        discarded.remove(0).reason
    };
    let mismatch =
        |at: usize| SegmentError::Checksum { offset: at.try_into().expect("fits 64 bits") };

    let mut frame = intact.clone();
    frame[at[2] - 1] ^= 1;
    let sum = crc32fast::hash(&frame[..footer]);
    let refooted = with_footer(&frame[..footer], at.len() - 3, sum);
    assert_eq!(reason(&refooted), mismatch(at[1]), "checksum of a frame");

    let sum = crc32fast::hash(&intact[..footer]);
    let again = with_footer(&intact[..footer], at.len() - 3, sum);
    assert_eq!(again, intact, "the test's encoder follows the format");
    let other = with_footer(&intact[..footer], at.len() - 3, sum ^ 1);
    assert_eq!(reason(&other), mismatch(footer), "checksum over all frames");

    let mut last = intact.clone();
    *last.last_mut().expect("not empty") ^= 1;
    assert_eq!(reason(&last), mismatch(footer), "checksum of the footer");

    let other = with_footer(&intact[..footer], at.len() - 2, sum);
    assert!(matches!(reason(&other), SegmentError::Malformed { .. }), "number of records");
}

/// Damage with valid checksums, as from a defective writer or an attacker.
#[test]
fn records_of_another_state_are_rejected() {
    let written = Written::new();
    let mut random = random();
    for (index, (segment, ..)) in DAMAGES.into_iter().enumerate().take(3) {
        let intact = payloads(&written.read(segment));
        for _ in 0..60 {
            let mut records = intact.clone();
            let at = random.random_range(0..records.len());
            let other = random.random_range(0..records.len());
            match random.random_range(0..4) {
                0 => drop(records.remove(at)),
                1 => {
                    let length = records[at].len();
                    records[at][random.random_range(0..length)] ^= 1 << random.random_range(0..8);
                }
                2 => records.insert(other, intact[at].clone()),
                _ => {
                    records[at] =
                        (0..random.random_range(0..60)).map(|_| random.random()).collect();
                }
            }
            // Some changes leave the state as it is: removing an unused code, or repeating slots.
            let bytes = framed(&records);
            written.write(segment, &bytes);
            let (block, discarded) = load_lenient(&written);
            written.write(segment, &framed(&intact));
            if block == Some(50) {
                assert!(discarded.is_empty());
            } else {
                expect_refused(&written, index, &bytes);
            }
        }
    }
}

/// Does what [`Written::load`] does, for states whose unused codes may differ.
fn load_lenient(written: &Written) -> (Option<u64>, Vec<Discarded>) {
    let recovery = load(written.path()).expect("the file system works");
    let block = recovery.loaded.map(|loaded| {
        let (root, model) = &written.states[&loaded.block];
        assert_eq!(loaded.state.roots().state_root, *root);
        assert_eq!(content(&loaded.state), *model);
        loaded.block
    });
    (block, recovery.discarded)
}

#[test]
fn claimed_length_beyond_the_file_is_not_allocated() {
    let written = Written::new();
    for (claim, too_long) in [(u32::MAX, true), ((1 << 24) + 1, true), (1 << 24, false)] {
        written.write(delta(40, 50), &claim.to_le_bytes());
        let (block, discarded) = written.load();
        assert_eq!(block, Some(40));
        let is_too_long = matches!(discarded[0].reason, SegmentError::TooLong { .. });
        assert_eq!(is_too_long, too_long, "{:?}", discarded[0].reason);
    }
}

#[test]
fn segment_under_another_name_is_rejected() {
    let written = Written::new();
    written.write(delta(50, 60), &written.read(delta(40, 50)));
    written.write(base(60), &written.read(base(35)));
    let (block, discarded) = written.load();
    assert_eq!(block, Some(50));
    let found: Vec<_> = discarded.iter().map(|discarded| discarded.segment).collect();
    assert_eq!(found, [base(60), delta(50, 60)]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn random_bytes_are_rejected(
        bytes in collection::vec(any::<u8>(), 0..300),
        payloads in collection::vec(collection::vec(0_u8..6, 0..60), 1..6),
    ) {
        let directory = TempDir::new().expect("temporary directory");
        fs::write(directory.path().join("base-1.ckpt"), &bytes).expect("written");
        fs::write(directory.path().join("base-2.ckpt"), framed(&payloads)).expect("written");
        fs::write(directory.path().join("delta-2-3.ckpt"), &bytes).expect("written");
        let recovery = load(directory.path()).expect("the file system works");
        prop_assert!(recovery.loaded.is_none());
        prop_assert_eq!(recovery.discarded.len(), 3);
    }
}

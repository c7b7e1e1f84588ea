//! Bisections: hashes and segments equal the contract's, and segments cover the whole range.

use alloy_primitives::B256;
use proptest::prelude::*;
use serde_json::Value;
use turnpike_l1::{
    Bisection, DisputedOutput, MACHINE_STEPS, Phase, SEGMENTS_MAX, Segment, positions,
};

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no {name}"))
}

fn number(value: &Value, name: &str) -> u64 {
    text(value, name).parse().expect("a number")
}

fn word(value: &Value, name: &str) -> B256 {
    text(value, name).parse().expect("a word")
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().unwrap_or_else(|| panic!("no list {name}"))
}

/// A bisection of this range. Each claim is its position.
fn of(first: u64, last: u64) -> Bisection {
    Bisection {
        answered: B256::ZERO,
        phase: Phase::Machine,
        block: 0,
        agreed_root: B256::ZERO,
        first,
        last,
        start: claim(first),
        claims: positions(first, last).map(claim).collect(),
    }
}

fn claim(position: u64) -> B256 {
    B256::left_padding_from(&position.to_be_bytes())
}

fn segments(bisection: &Bisection) -> Vec<Segment> {
    (0..).map_while(|index| bisection.segment(index)).collect()
}

#[test]
fn hashes_and_segments_equal_the_contracts() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../protocol/vectors/dispute.json");
    let text = std::fs::read_to_string(path).expect("vectors are shipped");
    let vectors: Value = serde_json::from_str(&text).expect("vectors are JSON");
    let vectors = list(&vectors, "bisections");
    assert!(!vectors.is_empty());
    for vector in vectors {
        let phase = match number(vector, "phase") {
            0 => Phase::Blocks,
            1 => Phase::Machine,
            phase => panic!("phase {phase}"),
        };
        let claims = list(vector, "claims").iter().map(|claim| {
            claim.as_str().and_then(|claim| claim.parse().ok()).expect("a claim is a word")
        });
        let bisection = Bisection {
            answered: word(vector, "answered"),
            phase,
            block: number(vector, "block"),
            agreed_root: word(vector, "agreedRoot"),
            first: number(vector, "first"),
            last: number(vector, "last"),
            start: word(vector, "start"),
            claims: claims.collect(),
        };
        assert_eq!(bisection.hash(), word(vector, "hash"));
        let expected: Vec<_> = list(vector, "segments")
            .iter()
            .map(|segment| Segment {
                answered: bisection.hash(),
                phase,
                block: bisection.block,
                agreed_root: bisection.agreed_root,
                first: number(segment, "first"),
                last: number(segment, "last"),
                start: word(segment, "start"),
                end: word(segment, "end"),
            })
            .collect();
        assert_eq!(segments(&bisection), expected);
        assert!(bisection.positions().eq(expected.iter().map(|segment| segment.last)));
    }
}

/// Checks that segments follow each other from the first position to the last, and that each begins
/// and ends at a claim.
fn check(first: u64, last: u64) {
    let bisection = of(first, last);
    let segments = segments(&bisection);
    assert!(segments.len() as u64 <= SEGMENTS_MAX, "{} segments", segments.len());
    let mut before = first;
    for segment in &segments {
        assert_eq!(segment.first, before, "{first}..{last}");
        assert!(segment.last > segment.first, "{first}..{last}: {segment:?}");
        assert_eq!((segment.start, segment.end), (claim(segment.first), claim(segment.last)));
        before = segment.last;
    }
    assert_eq!(before, last);
    // The contract derives the stride from the number of claims.
    let stride = (last - first).div_ceil(segments.len() as u64);
    assert_eq!(segments[0].length(), stride.min(last - first), "{first}..{last}");
}

#[test]
fn segments_tile_every_short_range() {
    for length in 1..=5_000 {
        check(0, length);
        check(1_000_003, 1_000_003 + length);
    }
}

/// Divides the first segment until a single step is left.
#[test]
fn longest_game_has_13_bisections() {
    let output = DisputedOutput {
        index: 1,
        claim: B256::repeat_byte(1),
        parent_entry: 0,
        entry: 256,
        parent_root: claim(0),
        root: claim(256 * 1_024),
        blocks_per_entry: 1_024,
    };
    let mut segment = output.segment();
    let (mut rounds, mut lengths) = (0, Vec::new());
    while segment.phase == Phase::Blocks || segment.length() > 1 {
        lengths.push(segment.length());
        let mut bisection = segment.divided(Vec::new(), B256::repeat_byte(2));
        let was_single = segment.length() == 1;
        assert_eq!(bisection.last - bisection.first == MACHINE_STEPS, was_single);
        bisection.claims = bisection.positions().map(claim).collect();
        if was_single {
            assert_eq!((bisection.block, bisection.agreed_root), (segment.first, segment.start));
            assert_eq!((bisection.start, bisection.first), (B256::repeat_byte(2), 0));
        }
        // No segment is longer than the first.
        segment = bisection.segment(0).expect("a bisection has segments");
        rounds += 1;
    }
    assert_eq!(rounds, 13, "{lengths:?}");
}

#[test]
fn block_at_gives_entry_and_block_of_a_position() {
    let output = DisputedOutput {
        index: 4,
        claim: B256::ZERO,
        parent_entry: 7,
        entry: 9,
        parent_root: B256::ZERO,
        root: B256::ZERO,
        blocks_per_entry: 10,
    };
    assert_eq!((output.segment().first, output.segment().last), (0, 20));
    assert_eq!(output.block_at(0), (8, 0));
    assert_eq!(output.block_at(9), (8, 9));
    assert_eq!(output.block_at(10), (9, 0));
    assert_eq!(output.block_at(19), (9, 9));
}

proptest! {
    #[test]
    fn segments_tile_any_range(first in 0..MACHINE_STEPS, length in 1..=MACHINE_STEPS) {
        check(first, first + length);
    }

    #[test]
    fn segments_tile_ranges_of_any_length(first in 0..MACHINE_STEPS, exponent in 0..42u32, more in 0..64u64) {
        check(first, first + (1 << exponent) + more);
    }
}

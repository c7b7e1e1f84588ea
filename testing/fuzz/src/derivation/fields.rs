//! The fields of an input, in the order of their bytes. Numbers are big-endian.

use crate::input::Input;

/// Maximum number of runs of deposits.
const RUNS_MAX: usize = 8;

/// Maximum number of changed bytes of the blobs.
const FLIPS_MAX: usize = 4;

/// An entry under test. What it leaves out follows from these fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fields {
    /// Bits of [`Self::DISHONEST`] and [`Self::ORIGIN_BEFORE`].
    pub(crate) flags: u8,
    /// Where the data is: 0 none, 1 calldata, 2 blobs.
    pub(crate) kind: u8,
    /// The same of the entry before.
    pub(crate) previous_kind: u8,
    /// The chain's `entry_blocks_max`, less one.
    pub(crate) blocks_max: u8,
    /// The chain's `time_drift_max`.
    pub(crate) drift: u16,
    /// The chain's `origin_age_max`, less one.
    pub(crate) age_max: u16,
    /// Number, time and origin of both parents. An origin of `u64::MAX` is none.
    pub(crate) parents: [(u32, u64, u64); 2],
    /// Index, deposit count and L1 time of the entry before.
    pub(crate) previous: [u64; 3],
    /// L1 time of the entry.
    pub(crate) l1_time: u64,
    /// Index and L1 time of the origin.
    pub(crate) origin: [u64; 2],
    /// The deposits that the entry consumes.
    pub(crate) runs: Vec<Run>,
    /// Changes to the blobs after packing.
    pub(crate) flips: Vec<Flip>,
    /// The batch, as posted.
    pub(crate) data: Vec<u8>,
}

/// Equal deposits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) count: u8,
    pub(crate) l1_block: u8,
    pub(crate) gas_limit: u64,
}

/// A byte of the blobs to change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flip {
    pub(crate) at: u32,
    pub(crate) mask: u8,
}

impl Fields {
    /// Entry fields and deposits are taken as they are, though L1 has no such entry.
    pub(crate) const DISHONEST: u8 = 1;
    /// The origin is the entry before.
    pub(crate) const ORIGIN_BEFORE: u8 = 2;

    pub(crate) fn read(input: &mut Input<'_>) -> Self {
        Self {
            flags: input.byte(),
            kind: input.byte() % 3,
            previous_kind: input.byte() % 3,
            blocks_max: input.byte(),
            drift: input.u16(),
            age_max: input.u16(),
            parents: [(); 2].map(|()| (input.u32(), input.u64(), input.u64())),
            previous: [(); 3].map(|()| input.u64()),
            l1_time: input.u64(),
            origin: [(); 2].map(|()| input.u64()),
            runs: (0..input.below(RUNS_MAX + 1)).map(|_| Run::read(input)).collect(),
            flips: (0..input.below(FLIPS_MAX + 1)).map(|_| Flip::read(input)).collect(),
            data: input.rest().to_vec(),
        }
    }

    /// The bytes that [`read`](Self::read) reads.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![self.flags, self.kind, self.previous_kind, self.blocks_max];
        bytes.extend(self.drift.to_be_bytes());
        bytes.extend(self.age_max.to_be_bytes());
        for (number, time_ms, origin) in self.parents {
            bytes.extend(number.to_be_bytes());
            bytes.extend([time_ms, origin].iter().flat_map(|field| field.to_be_bytes()));
        }
        let numbers = self.previous.iter().chain([&self.l1_time]).chain(&self.origin);
        bytes.extend(numbers.flat_map(|number| number.to_be_bytes()));
        bytes.push(u8::try_from(self.runs.len()).expect("few"));
        for run in &self.runs {
            bytes.extend([run.count, run.l1_block]);
            bytes.extend(run.gas_limit.to_be_bytes());
        }
        bytes.push(u8::try_from(self.flips.len()).expect("few"));
        for flip in &self.flips {
            bytes.extend(flip.at.to_be_bytes());
            bytes.push(flip.mask);
        }
        bytes.extend_from_slice(&self.data);
        bytes
    }
}

impl Run {
    fn read(input: &mut Input<'_>) -> Self {
        Self { count: input.byte(), l1_block: input.byte(), gas_limit: input.u64() }
    }
}

impl Flip {
    fn read(input: &mut Input<'_>) -> Self {
        Self { at: input.u32(), mask: input.byte() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_fields_are_read_again() {
        let fields = Fields {
            flags: 3,
            kind: 2,
            previous_kind: 1,
            blocks_max: 4,
            drift: 5,
            age_max: 6,
            parents: [(7, 8, 9), (10, 11, u64::MAX)],
            previous: [12, 13, 14],
            l1_time: 15,
            origin: [16, 17],
            runs: vec![Run { count: 18, l1_block: 19, gas_limit: 20 }],
            flips: vec![Flip { at: 21, mask: 22 }],
            data: vec![23],
        };
        assert_eq!(Fields::read(&mut Input::new(&fields.to_bytes())), fields);
        assert_eq!(Fields::read(&mut Input::new(&[])), Fields::default());
    }
}

//! Compares the table with the standard library's map.

use core::hash::Hasher;
use proptest::{collection, prelude::*};
use std::collections::HashMap;

use super::*;

/// Hashes keys to a few tags near the end of the index, so that runs of words wrap around.
#[derive(Clone, Default)]
struct Few(u64);

impl Hasher for Few {
    fn finish(&self) -> u64 {
        (u64::from(u32::MAX) - self.0 % 3) << 32
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.wrapping_mul(31).wrapping_add(u64::from(*byte));
        }
    }
}

type Bad = core::hash::BuildHasherDefault<Few>;

/// Inserts, changes and removes keys in a table and in a map.
fn run<S: BuildHasher + Default>(steps: &[(u16, Option<u32>)], release_every: usize) {
    let mut table: Table<u16, u32, S> = Table::default();
    let mut map = HashMap::new();
    let mut gone = Vec::new();
    for (step, (key, value)) in steps.iter().enumerate() {
        match (table.find(key), value) {
            (None, Some(value)) => {
                let number = table.insert(*key, *value);
                assert!(map.values().all(|(_, held)| *held != number), "number is in use");
                assert!(!gone.contains(&number), "number is not released");
                map.insert(*key, (*value, number));
            }
            (Some(number), Some(value)) => {
                *table.value_mut(number) = *value;
                assert_eq!(map.insert(*key, (*value, number)).map(|held| held.1), Some(number));
            }
            (Some(number), None) => {
                table.remove(number);
                gone.push(number);
                assert_eq!(map.remove(key).map(|(_, held)| held), Some(number));
                assert_eq!(
                    table.entry(number).key,
                    *key,
                    "a removed entry is readable until its release"
                );
            }
            (None, None) => assert!(!map.contains_key(key)),
        }
        if step % release_every == 0 {
            table.release();
            gone.clear();
        }
        assert_eq!(table.len(), map.len());
    }
    let entries = table.iter().map(|(number, entry)| (entry.key, (entry.value, number)));
    assert_eq!(entries.collect::<HashMap<_, _>>(), map);
    for keys in (0..300).collect::<Vec<u16>>().chunks(FIND_MAX) {
        let (found, count) = table.find_many(keys.iter());
        assert_eq!(count, keys.len());
        for (key, found) in keys.iter().zip(found) {
            assert_eq!(found, table.find(key));
            assert_eq!(found, map.get(key).map(|(_, number)| *number));
        }
    }
}

proptest! {
    #[test]
    fn table_equals_std_hash_map(
        steps in collection::vec((0_u16..300, proptest::option::weighted(0.6, any::<u32>())), 1..900),
        release_every in 1_usize..40,
    ) {
        run::<DefaultHashBuilder>(&steps, release_every);
    }

    #[test]
    fn table_equals_std_hash_map_with_colliding_hashes(
        steps in collection::vec((0_u16..40, proptest::option::weighted(0.5, any::<u32>())), 1..400),
        release_every in 1_usize..40,
    ) {
        run::<Bad>(&steps, release_every);
    }
}

#[test]
fn insertions_reuse_removed_entries_without_new_chunks() {
    let mut table: Table<u64, u64> = Table::default();
    let count = 3 * CHUNK_ENTRIES as u64 + 5;
    for round in 0..3 {
        for key in 0..count {
            table.insert(key + round, key);
        }
        assert_eq!((table.len() as u64, table.chunks.len()), (count, 4));
        for key in 0..count {
            let number = table.find(&(key + round)).expect("the key exists");
            assert_eq!(table.entry(number).value, key);
            table.remove(number);
        }
        assert_eq!(table.iter().count(), 0);
        table.release();
    }
}

#[test]
fn each_value_is_in_exactly_one_share() {
    let mut table: Table<u64, u64> = Table::default();
    let count = 5 * CHUNK_ENTRIES as u64 + 5;
    for key in 0..count {
        table.insert(key, key);
    }
    for shares in [1, 2, 4, 9] {
        for mut share in table.shares_mut(shares) {
            for number in 0..u32::try_from(count).expect("fits 32 bits") {
                if let Some(value) = share.value_mut(number) {
                    assert_eq!(*value % count, u64::from(number));
                    *value += count;
                }
            }
        }
        for key in 0..count {
            let number = table.find(&key).expect("the key exists");
            assert_eq!(table.entry(number).value, key + count, "one share wrote the value once");
            *table.value_mut(number) = key;
        }
    }
}

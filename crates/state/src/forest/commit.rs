//! One round of changes to many tries: hash the keys, sort the changes, and apply them to the
//! sixteen parts. `finish.rs` computes the roots afterwards.

use alloc::vec::Vec;
use alloy_primitives::B256;

use super::{Engine, Grove, root::Root};
use crate::{
    trie::{Arena, Editor, LeafChange, Leaves, NodeKind, NodeRef, Pending, Word, hash_all, nibble},
    workers::Workers,
};

/// Keys that one task hashes.
const HASHED_TASK: usize = 512;
/// Keys that one call hashes.
pub(super) const HASHED_MAX: usize = 128;
/// With fewer changes than this, a second thread is not worth its cost.
const SHARED_MIN: usize = 1024;
/// Tasks per worker, so that all workers finish at about the same time.
const TASKS_PER_WORKER: usize = 4;
/// With fewer changes than this, more tasks would leave SIMD lanes empty.
const TASKS_MIN: usize = 1 << 15;

/// The tries that change. `LeafChange::trie` is an index into `touched`, whose elements are indices
/// into `roots`.
pub(super) struct Tries<'a> {
    pub(super) roots: &'a mut [Root],
    pub(super) touched: &'a [u32],
}

/// The changed subtree of one trie below one nibble.
pub(super) struct ChangedSubtree {
    /// Index of the trie in the list of touched ones.
    pub(super) trie: u32,
    pub(super) nibble: u8,
    pub(super) word: Word,
    pub(super) reference: NodeRef,
}

/// Inputs that the tasks of all parts share.
struct PartContext<'a, L> {
    ops: &'a [LeafChange],
    tries: &'a Tries<'a>,
    starts: &'a [u8],
    crown: &'a Arena,
    leaves: &'a L,
    engine: Engine<'a>,
}

/// Consecutive arenas that one task changes, with the results.
struct ArenaPart<'a> {
    /// The nibble of the first arena.
    first: usize,
    arenas: &'a mut [Arena],
    sides: Vec<ChangedSubtree>,
}

/// Applies changes whose keys are not hashed yet. The first `key_bytes` bytes of each key are
/// hashed.
pub(super) fn commit<L: Leaves>(
    grove: &mut Grove,
    mut tries: Tries<'_>,
    mut ops: Vec<LeafChange>,
    key_bytes: usize,
    leaves: &L,
    engine: Engine<'_>,
) {
    if ops.is_empty() {
        return;
    }
    let workers = if ops.len() < SHARED_MIN { Workers::default() } else { engine.workers };
    let engine = Engine { workers, ..engine };
    let mut tasks: Vec<&mut [LeafChange]> = ops.chunks_mut(HASHED_TASK).collect();
    workers.run(&mut tasks, |ops| hash_keys(ops, key_bytes, engine));
    let starts = starts(&tries, &ops);
    let parts = match workers.count() {
        1 => 1,
        count if ops.len() < TASKS_MIN => count.next_power_of_two().min(16),
        count => (count * TASKS_PER_WORKER).next_power_of_two().min(16),
    };
    let each = 16 / parts;
    let Grove { arenas, crown } = grove;
    let arenas = arenas.chunks_mut(each).enumerate();
    let mut parts: Vec<ArenaPart<'_>> = arenas
        .map(|(part, arenas)| ArenaPart { first: part * each, arenas, sides: Vec::new() })
        .collect();
    let shared = PartContext { ops: &ops, tries: &tries, starts: &starts, crown, leaves, engine };
    workers.run(&mut parts, |part| part.run(&shared));
    let sides: Vec<ChangedSubtree> = parts.into_iter().flat_map(|part| part.sides).collect();
    grove.finish(&mut tries, &starts, &sides, leaves, engine);
}

/// Replaces keys by their hashes.
fn hash_keys(ops: &mut [LeafChange], key_bytes: usize, engine: Engine<'_>) {
    for some in ops.chunks_mut(HASHED_MAX) {
        let mut hashes = [[0; 32]; HASHED_MAX];
        let hashes = &mut hashes[..some.len()];
        let messages: Vec<&[u8]> = some.iter().map(|op| &op.key[..key_bytes]).collect();
        hash_all(Some(engine.backend), &messages, hashes);
        for (op, hash) in some.iter_mut().zip(hashes) {
            op.key = (*hash).into();
        }
    }
}

/// The depth at which each touched trie's subtrees start: 0 if all old and new keys begin with the
/// same nibble, so that the subtree is the root; otherwise 1.
fn starts(tries: &Tries<'_>, ops: &[LeafChange]) -> Vec<u8> {
    let masks = tries.touched.iter().map(|trie| {
        let root = &tries.roots[*trie as usize];
        if root.is_nil() || root.crown().is_some() { 0 } else { 1_u16 << root.nibble }
    });
    let mut masks: Vec<u16> = masks.collect();
    for op in ops {
        masks[op.trie as usize] |= 1 << nibble(&op.key, 0);
    }
    let starts = masks.iter().zip(tries.touched).map(|(mask, trie)| {
        let is_crown = tries.roots[*trie as usize].crown().is_some();
        u8::from(is_crown || mask.count_ones() > 1)
    });
    starts.collect()
}

impl ArenaPart<'_> {
    fn run<L: Leaves>(&mut self, shared: &PartContext<'_, L>) {
        let ops = self.sorted(shared.ops);
        let mut pending = Pending::new(Some(shared.engine.backend));
        let mut from = 0;
        while let Some(first) = ops.get(from) {
            let (trie, value) = (first.trie, first.key[0] >> 4);
            let same = |op: &&LeafChange| op.trie == trie && op.key[0] >> 4 == value;
            let to = from + 1 + ops[from + 1..].iter().take_while(same).count();
            self.change(trie, value, &ops[from..to], &mut pending, shared);
            from = to;
        }
        pending.flush(self.arenas, shared.leaves);
        for (side, reference) in self.sides.iter_mut().zip(pending.roots) {
            side.reference = reference;
        }
    }

    /// The changes to this part, sorted by nibble, trie and key.
    fn sorted(&self, ops: &[LeafChange]) -> Vec<LeafChange> {
        let mine = self.first..self.first + self.arenas.len();
        let place = |op: &LeafChange| {
            let [bytes @ .., _, _, _, _] =
                op.key.0.first_chunk::<8>().expect("invariant: 32 bytes");
            let tail = u32::from_be_bytes(*bytes);
            (u64::from(tail >> 28) << 60) | (u64::from(op.trie) << 28) | u64::from(tail << 4 >> 4)
        };
        let mine = (0_u32..).zip(ops).filter(|(_, op)| mine.contains(&nibble(&op.key, 0)));
        let mut order: Vec<(u64, u32)> = mine.map(|(number, op)| (place(op), number)).collect();
        order.sort_unstable_by(|a, b| {
            a.0.cmp(&b.0).then_with(|| ops[a.1 as usize].key.cmp(&ops[b.1 as usize].key))
        });
        let key = |number: u32| &ops[number as usize].key;
        let is_twice =
            |pair: &[(u64, u32)]| pair[0].0 == pair[1].0 && key(pair[0].1) == key(pair[1].1);
        let once = !order.windows(2).any(is_twice);
        assert!(once, "invariant: a diff names each account and each slot once");
        order.iter().map(|(_, number)| ops[*number as usize]).collect()
    }

    /// Applies the changes to one trie below one nibble.
    fn change<L: Leaves>(
        &mut self,
        trie: u32,
        value: u8,
        ops: &[LeafChange],
        pending: &mut Pending,
        shared: &PartContext<'_, L>,
    ) {
        let root = &shared.tries.roots[shared.tries.touched[trie as usize] as usize];
        let start = shared.starts[trie as usize];
        let current = u8::try_from(usize::from(value) - self.first).expect("invariant: a nibble");
        let place = pending.add_root();
        let word = root.side(shared.crown, value);
        if let NodeKind::Branch(branch) = word.node() {
            // The subtree may have started at depth 0 before.
            self.arenas[usize::from(current)].hang(branch, start, &ops[0].key);
        }
        let mut editor =
            Editor { arenas: self.arenas, current, leaves: shared.leaves, pending: Some(pending) };
        let child = editor.edit(word, start, ops);
        if !child.word.is_nil() {
            editor.note_root(child, start, ops, place);
        }
        let reference = NodeRef::hash(B256::ZERO);
        self.sides.push(ChangedSubtree { trie, nibble: value, word: child.word, reference });
    }
}

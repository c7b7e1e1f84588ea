//! One round of changes to many tries: sort, change the sixteen parts, finish the roots.

use alloc::{vec, vec::Vec};
use alloy_primitives::B256;

use super::{Engine, Grove, root::Root};
use crate::{
    trie::{
        Arena, Editor, Leaves, Node, NodeRef, Op, Pending, Reader, Word, hash_all, nibble,
        with_nibble,
    },
    workers::Workers,
};

/// Keys that are hashed as one task.
const HASHED_TASK: usize = 2048;
/// Keys that are hashed in one call.
const HASHED_MAX: usize = 128;
/// Root branches that are hashed as one task.
const ROOTS_TASK: usize = 512;
/// Fewer changes than this are not worth a second thread.
const SHARED_MIN: usize = 1024;
/// Tasks for each worker, so that all end at about the same time.
const TASKS_PER_WORKER: usize = 4;
/// With fewer changes than this, more tasks would leave lanes empty.
const TASKS_MIN: usize = 1 << 15;

/// The tries that change: `Op::trie` is a place in `touched`, which is a place in `roots`.
pub(super) struct Tries<'a> {
    pub(super) roots: &'a mut [Root],
    pub(super) touched: &'a [u32],
}

/// What became of one trie's subtree for one nibble.
struct Side {
    /// Place of the trie in the list of touched ones.
    trie: u32,
    nibble: u8,
    word: Word,
    reference: NodeRef,
}

/// What the parts' tasks only read.
struct Shared<'a, L> {
    ops: &'a [Op],
    tries: &'a Tries<'a>,
    starts: &'a [u8],
    crown: &'a Arena,
    leaves: &'a L,
    engine: Engine<'a>,
}

/// A run of arenas, and what became of them.
struct Part<'a> {
    /// The nibble of the first arena.
    first: usize,
    arenas: &'a mut [Arena],
    sides: Vec<Side>,
}

/// Makes changes whose keys are not hashed yet: the hashed part is the first `key_bytes`.
pub(super) fn commit<L: Leaves>(
    grove: &mut Grove,
    mut tries: Tries<'_>,
    mut ops: Vec<Op>,
    key_bytes: usize,
    leaves: &L,
    engine: Engine<'_>,
) {
    if ops.is_empty() {
        return;
    }
    let workers = if ops.len() < SHARED_MIN { Workers::default() } else { engine.workers };
    let engine = Engine { workers, ..engine };
    let mut tasks: Vec<&mut [Op]> = ops.chunks_mut(HASHED_TASK).collect();
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
    let mut parts: Vec<Part<'_>> = arenas
        .map(|(part, arenas)| Part { first: part * each, arenas, sides: Vec::new() })
        .collect();
    let shared = Shared { ops: &ops, tries: &tries, starts: &starts, crown, leaves, engine };
    workers.run(&mut parts, |part| part.run(&shared));
    let sides: Vec<Side> = parts.into_iter().flat_map(|part| part.sides).collect();
    grove.finish(&mut tries, &starts, &sides, leaves, engine);
}

/// Replaces keys by their hashes.
fn hash_keys(ops: &mut [Op], key_bytes: usize, engine: Engine<'_>) {
    for some in ops.chunks_mut(HASHED_MAX) {
        let mut hashes = [[0; 32]; HASHED_MAX];
        let hashes = &mut hashes[..some.len()];
        let messages: Vec<&[u8]> = some.iter().map(|op| &op.key[..key_bytes]).collect();
        hash_all(Some(engine.lanes), &messages, hashes);
        for (op, hash) in some.iter_mut().zip(hashes) {
            op.key = (*hash).into();
        }
    }
}

/// The depth at which each touched trie's subtrees hang: 0 if all keys, those there and the new
/// ones, begin with the same nibble, so that the subtree is the root.
fn starts(tries: &Tries<'_>, ops: &[Op]) -> Vec<u8> {
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

/// Hashes root branches.
fn hash_roots(crown: &Arena, roots: &mut [(u32, u32, NodeRef)], engine: Engine<'_>) {
    for some in roots.chunks_mut(HASHED_MAX) {
        let (mut encoded, mut ends) = (Vec::new(), Vec::new());
        for (_, branch, _) in some.iter() {
            crown.encode(*branch, &mut encoded);
            ends.push(encoded.len());
        }
        let starts = core::iter::once(&0).chain(&ends);
        let messages: Vec<&[u8]> =
            starts.zip(&ends).map(|(start, end)| &encoded[*start..*end]).collect();
        let mut hashes = vec![[0; 32]; messages.len()];
        hash_all(Some(engine.lanes), &messages, &mut hashes);
        for ((root, message), hash) in some.iter_mut().zip(messages).zip(hashes) {
            root.2 = NodeRef::inline(message).unwrap_or_else(|| NodeRef::hash(hash.into()));
        }
    }
}

impl Part<'_> {
    fn run<L: Leaves>(&mut self, shared: &Shared<'_, L>) {
        let ops = self.sorted(shared.ops);
        let mut pending = Pending::new(Some(shared.engine.lanes));
        let mut from = 0;
        while let Some(first) = ops.get(from) {
            let (trie, value) = (first.trie, first.key[0] >> 4);
            let same = |op: &&Op| op.trie == trie && op.key[0] >> 4 == value;
            let to = from + 1 + ops[from + 1..].iter().take_while(same).count();
            self.change(trie, value, &ops[from..to], &mut pending, shared);
            from = to;
        }
        pending.flush(self.arenas, shared.leaves);
        for (side, reference) in self.sides.iter_mut().zip(pending.roots) {
            side.reference = reference;
        }
    }

    /// The changes to this part, by nibble, trie and key.
    fn sorted(&self, ops: &[Op]) -> Vec<Op> {
        let mine = self.first..self.first + self.arenas.len();
        let place = |op: &Op| {
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
        order.iter().map(|(_, number)| ops[*number as usize]).collect()
    }

    /// Makes the changes to one trie below one nibble.
    fn change<L: Leaves>(
        &mut self,
        trie: u32,
        value: u8,
        ops: &[Op],
        pending: &mut Pending,
        shared: &Shared<'_, L>,
    ) {
        let root = &shared.tries.roots[shared.tries.touched[trie as usize] as usize];
        let start = shared.starts[trie as usize];
        let current = u8::try_from(usize::from(value) - self.first).expect("invariant: a nibble");
        let place = pending.add_root();
        let word = root.side(shared.crown, value);
        if let Node::Branch(branch) = word.node() {
            // So far it may have hung at depth 0.
            self.arenas[usize::from(current)].hang(branch, start, &ops[0].key);
        }
        let mut editor =
            Editor { arenas: self.arenas, current, leaves: shared.leaves, pending: Some(pending) };
        let child = editor.edit(word, start, ops);
        if !child.word.is_nil() {
            editor.note_root(child, start, ops, place);
        }
        let reference = NodeRef::hash(B256::ZERO);
        self.sides.push(Side { trie, nibble: value, word: child.word, reference });
    }
}

impl Grove {
    /// Puts changed subtrees below the roots, and hashes the root branches.
    fn finish<L: Leaves>(
        &mut self,
        tries: &mut Tries<'_>,
        starts: &[u8],
        sides: &[Side],
        leaves: &L,
        engine: Engine<'_>,
    ) {
        // For each touched trie, where its sides are: number + 1.
        let mut places = vec![[0_u32; 16]; tries.touched.len()];
        for (number, side) in (1_u32..).zip(sides) {
            places[side.trie as usize][usize::from(side.nibble)] = number;
        }
        let mut hashed = Vec::new();
        for ((trie, start), places) in tries.touched.iter().zip(starts).zip(&places) {
            let changed = core::array::from_fn(|nibble| {
                let number = (places[nibble] as usize).checked_sub(1)?;
                Some((sides[number].word, sides[number].reference))
            });
            let root = &mut tries.roots[*trie as usize];
            *root = self.new_root(root, *start, &changed, leaves);
            if let Some(branch) = root.crown() {
                hashed.push((*trie, branch, root.reference));
            }
        }
        let mut tasks: Vec<_> = hashed.chunks_mut(ROOTS_TASK).collect();
        engine.workers.run(&mut tasks, |roots| hash_roots(&self.crown, roots, engine));
        for (trie, _, reference) in hashed {
            tries.roots[trie as usize].reference = reference;
        }
    }

    /// The root of a trie some of whose sides changed. That of a root branch lacks its reference.
    fn new_root<L: Leaves>(
        &mut self,
        root: &Root,
        start: u8,
        changed: &[Option<(Word, NodeRef)>; 16],
        leaves: &L,
    ) -> Root {
        let side = |nibble: u8| match changed[usize::from(nibble)] {
            Some((word, _)) => word,
            None => root.side(&self.crown, nibble),
        };
        let present = (0..16).filter(|nibble| !side(*nibble).is_nil());
        let mask = present.fold(0_u16, |mask, nibble| mask | 1 << nibble);
        if mask.count_ones() <= 1 {
            let nibble = mask.trailing_zeros() % 16;
            let nibble = u8::try_from(nibble).expect("invariant: a nibble");
            let word = side(nibble);
            if let Some(branch) = root.crown() {
                self.crown.free(branch);
            }
            let known = changed[usize::from(nibble)].filter(|_| start == 0);
            let reference = known.map(|(_, reference)| reference);
            let reference = reference.unwrap_or_else(|| self.hang(word, 0, nibble, leaves));
            return Root { word, nibble, reference };
        }
        let branch = match root.crown() {
            Some(branch) => self.crown.reshape(branch, mask),
            None => self.crown.alloc(mask, 0),
        };
        for (nibble, value) in (0..16).zip(0_u8..).filter(|(nibble, _)| mask >> nibble & 1 != 0) {
            let (word, reference) = match changed[nibble] {
                Some(changed) => changed,
                None if root.crown().is_some() => continue,
                // The only side so far: until now the root itself.
                None => (root.word, self.hang(root.word, 1, value, leaves)),
            };
            self.crown.set_child(branch, nibble, word);
            self.crown.set_reference(branch, nibble, &reference);
        }
        Root::in_crown(branch, NodeRef::hash(B256::ZERO))
    }

    /// Hangs the only side of a trie at `start`; gives its reference there.
    fn hang<L: Leaves>(&mut self, word: Word, start: u8, nibble: u8, leaves: &L) -> NodeRef {
        let arena = &mut self.arenas[usize::from(nibble)];
        if let Node::Branch(branch) = word.node() {
            arena.hang(branch, start, &with_nibble(&B256::ZERO, 0, nibble));
        }
        let reference = NodeRef::hash(crate::EMPTY_ROOT);
        let arena = &*arena;
        Reader { root: word, reference, top: arena, below: &|_| arena, leaves }.reference_at(start)
    }

    /// Frees all branches of a trie.
    pub(super) fn free(&mut self, root: &Root) {
        match root.crown() {
            Some(branch) => {
                for (nibble, word) in self.crown.children(branch) {
                    self.arenas[nibble].free_all(word, &mut |_| {});
                }
                self.crown.free(branch);
            }
            None => {
                if let Some(arena) = self.arenas.get_mut(usize::from(root.nibble)) {
                    arena.free_all(root.word, &mut |_| {});
                }
            }
        }
    }

    /// Writes one arena anew, without the freed records; the crown is the last one.
    pub(super) fn rewrite<'a>(&mut self, number: usize, roots: impl Iterator<Item = &'a mut Root>) {
        let mut new = Arena::default();
        let is_crown = number == self.arenas.len();
        for root in roots.filter(|root| !root.is_nil()) {
            match root.crown() {
                Some(branch) if is_crown => {
                    let copy = self.crown.copy_shallow(&mut new, branch);
                    *root = Root::in_crown(copy, root.reference);
                }
                Some(branch) => {
                    let word = self.crown.child(branch, number);
                    if !word.is_nil() {
                        let copy = self.arenas[number].copy_to(&mut new, word);
                        self.crown.set_child(branch, number, copy);
                    }
                }
                None if usize::from(root.nibble) == number => {
                    root.word = self.arenas[number].copy_to(&mut new, root.word);
                }
                None => {}
            }
        }
        match self.arenas.get_mut(number) {
            Some(arena) => *arena = new,
            None => self.crown = new,
        }
    }
}

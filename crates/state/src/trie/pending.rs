//! Collects changed nodes and hashes them in batches: leaves first, then branches from the deepest
//! up.
//!
//! A branch's record holds the references of its children. So hashing a node means to encode it
//! from its record, hash the encoding, and write the hash into the parent's record.

use alloc::{vec, vec::Vec};
use alloy_primitives::{B256, keccak256};
use turnpike_keccak::{KeccakBackend, keccak256_many_with};

use super::{
    arena::Arena,
    encode::{encode_extension, encode_leaf},
    leaves::Leaves,
    nibbles::KEY_NIBBLES,
    reference::NodeRef,
};

/// Messages that one call hashes.
const HASHED_MAX: usize = 256;
/// Leaves whose values are read before any of them is encoded.
const LOADED_MAX: usize = 8;

/// The destination of a node's reference.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ReferenceTarget {
    /// The parent's record, at this nibble.
    Child { branch: u32, nibble: u8 },
    /// The list of roots.
    Root(u32),
    /// The extension above the node.
    Extension(u32),
}

#[derive(Clone, Copy, Debug)]
struct LeafJob {
    key: B256,
    leaf: u32,
    start: u8,
    arena: u8,
    place: ReferenceTarget,
}

#[derive(Clone, Copy, Debug)]
enum Source {
    Branch(u32),
    Extension(u32),
}

#[derive(Clone, Copy, Debug)]
struct Job {
    source: Source,
    arena: u8,
    place: ReferenceTarget,
}

#[derive(Clone, Copy, Debug)]
struct Extension {
    key: B256,
    start: u8,
    end: u8,
    child: NodeRef,
}

/// Nodes to hash.
#[derive(Debug)]
pub(crate) struct Pending {
    backend: Option<KeccakBackend>,
    leaves: Vec<LeafJob>,
    /// Branches and extensions by depth.
    levels: Vec<Vec<Job>>,
    count: usize,
    extensions: Vec<Extension>,
    /// References of roots.
    pub(crate) roots: Vec<NodeRef>,
    encoded: Vec<u8>,
    ends: Vec<(usize, u8, ReferenceTarget)>,
    value: Vec<u8>,
    hashes: Vec<[u8; 32]>,
}

impl Pending {
    /// Creates an empty list. Without a backend, nodes are hashed one by one.
    pub(crate) fn new(backend: Option<KeccakBackend>) -> Self {
        Self {
            backend,
            leaves: Vec::new(),
            levels: vec![Vec::new(); usize::from(KEY_NIBBLES) + 1],
            count: 0,
            extensions: Vec::new(),
            roots: Vec::new(),
            encoded: Vec::new(),
            ends: Vec::new(),
            value: Vec::new(),
            hashes: Vec::new(),
        }
    }

    /// Number of pending nodes.
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// Adds a place for a root's reference.
    pub(crate) fn add_root(&mut self) -> ReferenceTarget {
        let number = u32::try_from(self.roots.len()).expect("invariant: fewer than 2^32 roots");
        self.roots.push(NodeRef::hash(B256::ZERO));
        ReferenceTarget::Root(number)
    }

    #[inline]
    pub(crate) fn add_leaf(
        &mut self,
        arena: u8,
        key: B256,
        leaf: u32,
        start: u8,
        place: ReferenceTarget,
    ) {
        self.count += 1;
        self.leaves.push(LeafJob { key, leaf, start, arena, place });
    }

    /// Adds a branch at depth `start`, with the extension above it if there is one.
    #[inline]
    pub(crate) fn add_branch(
        &mut self,
        (number, arena): (u8, &Arena),
        branch: u32,
        start: u8,
        mut place: ReferenceTarget,
    ) {
        let head = arena.head(branch);
        if let Some(path) = arena.path(&head) {
            place = self.add_extension(number, *path, start, head.depth, place);
        }
        self.add(number, Source::Branch(branch), head.depth, place);
    }

    fn add_extension(
        &mut self,
        arena: u8,
        key: B256,
        start: u8,
        end: u8,
        place: ReferenceTarget,
    ) -> ReferenceTarget {
        let number = u32::try_from(self.extensions.len()).expect("invariant: fewer than 2^32");
        self.extensions.push(Extension { key, start, end, child: NodeRef::hash(B256::ZERO) });
        self.add(arena, Source::Extension(number), start, place);
        ReferenceTarget::Extension(number)
    }

    fn add(&mut self, arena: u8, source: Source, level: u8, place: ReferenceTarget) {
        self.count += 1;
        self.levels[usize::from(level)].push(Job { source, arena, place });
    }

    /// Hashes all pending nodes.
    pub(crate) fn flush<L: Leaves>(&mut self, arenas: &mut [Arena], leaves: &L) {
        self.flush_leaves(arenas, leaves);
        for level in (0..self.levels.len()).rev() {
            if self.levels[level].is_empty() {
                continue;
            }
            let mut jobs = core::mem::take(&mut self.levels[level]);
            for some in jobs.chunks(HASHED_MAX) {
                for job in some {
                    self.encode_job(job, arenas);
                }
                self.hash(arenas);
            }
            jobs.clear();
            self.levels[level] = jobs;
        }
        self.extensions.clear();
        self.count = 0;
    }

    fn flush_leaves<L: Leaves>(&mut self, arenas: &mut [Arena], leaves: &L) {
        let mut jobs = core::mem::take(&mut self.leaves);
        for some in jobs.chunks(HASHED_MAX) {
            for few in some.chunks(LOADED_MAX) {
                self.encode_leaves(few, arenas, leaves);
            }
            self.hash(arenas);
        }
        jobs.clear();
        self.leaves = jobs;
    }

    /// Encodes a few leaves. All values are read first, so that the cache misses overlap.
    fn encode_leaves<L: Leaves>(&mut self, jobs: &[LeafJob], arenas: &mut [Arena], leaves: &L) {
        let values: [Option<L::Value<'_>>; LOADED_MAX] =
            core::array::from_fn(|index| jobs.get(index).map(|job| leaves.load(job.leaf)));
        for (job, value) in jobs.iter().zip(values.iter().flatten()) {
            self.value.clear();
            leaves.encode(value, &mut self.value);
            let from = self.encoded.len();
            encode_leaf(&job.key, job.start, &self.value, &mut self.encoded);
            self.end(from, job.arena, job.place, arenas);
        }
    }

    fn encode_job(&mut self, job: &Job, arenas: &mut [Arena]) {
        let from = self.encoded.len();
        match job.source {
            Source::Branch(branch) => {
                arenas[usize::from(job.arena)].encode(branch, &mut self.encoded);
            }
            Source::Extension(number) => {
                let Extension { key, start, end, child } = &self.extensions[number as usize];
                encode_extension(key, *start, *end, child, &mut self.encoded);
            }
        }
        self.end(from, job.arena, job.place, arenas);
    }

    /// Ends the encoding of a node. A node shorter than a hash is stored as its own reference; any
    /// other is hashed later.
    fn end(&mut self, from: usize, arena: u8, place: ReferenceTarget, arenas: &mut [Arena]) {
        if let Some(reference) = NodeRef::inline(&self.encoded[from..]) {
            self.encoded.truncate(from);
            self.store(arena, place, &reference, arenas);
        } else {
            self.ends.push((self.encoded.len(), arena, place));
        }
    }

    /// Hashes the encoded nodes and stores the hashes.
    fn hash(&mut self, arenas: &mut [Arena]) {
        let ends = core::mem::take(&mut self.ends);
        let mut from = 0;
        let messages: Vec<&[u8]> = ends
            .iter()
            .map(|(end, ..)| &self.encoded[core::mem::replace(&mut from, *end)..*end])
            .collect();
        let mut hashes = core::mem::take(&mut self.hashes);
        hashes.resize(messages.len(), [0; 32]);
        hash_all(self.backend, &messages, &mut hashes);
        for ((_, arena, place), hash) in ends.iter().zip(&hashes) {
            self.store(*arena, *place, &NodeRef::hash(hash.into()), arenas);
        }
        self.hashes = hashes;
        self.ends = ends;
        self.ends.clear();
        self.encoded.clear();
    }

    #[inline]
    fn store(
        &mut self,
        arena: u8,
        place: ReferenceTarget,
        reference: &NodeRef,
        arenas: &mut [Arena],
    ) {
        match place {
            ReferenceTarget::Child { branch, nibble } => {
                arenas[usize::from(arena)].set_reference(branch, nibble.into(), reference);
            }
            ReferenceTarget::Root(number) => self.roots[number as usize] = *reference,
            ReferenceTarget::Extension(number) => {
                self.extensions[number as usize].child = *reference;
            }
        }
    }
}

/// Hashes messages in SIMD lanes if there is a backend, otherwise one by one.
pub(crate) fn hash_all(
    backend: Option<KeccakBackend>,
    messages: &[&[u8]],
    hashes: &mut [[u8; 32]],
) {
    match backend {
        Some(backend) => keccak256_many_with(backend, messages, hashes),
        None => {
            for (message, hash) in messages.iter().zip(hashes) {
                *hash = keccak256(message).0;
            }
        }
    }
}

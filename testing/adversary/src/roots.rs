use alloy_primitives::B256;
use turnpike_game::prove::BlockPosition;
use turnpike_l1::DisputedOutput;

/// The output root after every block, by entry. Entry 0 has the genesis block's root.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutputRoots(Vec<Vec<B256>>);

impl OutputRoots {
    /// Takes the roots of each entry, at least one per entry.
    pub(crate) const fn new(roots: Vec<Vec<B256>>) -> Self {
        Self(roots)
    }

    /// The root after an entry's last block.
    pub fn after(&self, entry: u64) -> Option<B256> {
        self.0.get(usize::try_from(entry).ok()?)?.last().copied()
    }

    /// The root after a block, or after the entry's last block if it has no such block.
    pub fn after_block(&self, at: BlockPosition) -> Option<B256> {
        let blocks = self.0.get(usize::try_from(at.entry).ok()?)?;
        let index = usize::try_from(at.index).unwrap_or(usize::MAX);
        blocks.get(index).or_else(|| blocks.last()).copied()
    }

    /// The root before a block.
    pub fn before_block(&self, at: BlockPosition) -> Option<B256> {
        match at.index.checked_sub(1) {
            Some(index) => self.after_block(BlockPosition { index, ..at }),
            None => self.after(at.entry.checked_sub(1)?),
        }
    }

    /// The root that a game over blocks has at a position.
    pub fn at(&self, output: &DisputedOutput, position: u64) -> Option<B256> {
        let (entry, index) = output.block_at(position);
        self.before_block(BlockPosition { entry, index })
    }

    /// Number of entries, entry 0 included.
    pub const fn entries(&self) -> usize {
        self.0.len()
    }

    /// Number of blocks of an entry.
    pub fn blocks(&self, entry: u64) -> u64 {
        let at = usize::try_from(entry).unwrap_or(usize::MAX);
        self.0.get(at).map_or(0, |blocks| blocks.len() as u64)
    }

    /// Replaces the root after one block.
    pub fn set(&mut self, at: BlockPosition, root: B256) {
        for (entry, index, known) in self.iter_mut() {
            if (entry, index) == (at.entry, at.index) {
                *known = root;
            }
        }
    }

    /// Replaces the roots after a block and after all later ones.
    pub fn set_from(&mut self, at: BlockPosition, root: B256) {
        for (entry, index, known) in self.iter_mut() {
            if (entry, index) >= (at.entry, at.index) {
                *known = root;
            }
        }
    }

    fn iter_mut(&mut self) -> impl Iterator<Item = (u64, u64, &mut B256)> {
        (0..).zip(&mut self.0).flat_map(|(entry, blocks)| {
            (0..).zip(blocks).map(move |(index, root)| (entry, index, root))
        })
    }
}

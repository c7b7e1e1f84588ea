use std::collections::{BTreeSet, HashMap};

use alloy_primitives::{B256, keccak256};
use ckb_vm::{Bytes, Error, Memory};

pub(crate) const PAGE_BYTES: u64 = 4096;
const MEMORY_BYTES: u64 = 1 << 32;
const LEAF_BYTES: u64 = 32;
const LEVELS: u32 = 27;

type Page = [u8; PAGE_BYTES as usize];

/// Memory for ckb-vm, whose own memory ends at 4 MiB. Computes the root by rehashing each changed
/// leaf's path.
///
/// It raises the proof machine's faults. ckb-vm computes the addresses.
#[derive(Default)]
pub(crate) struct CkbMemory {
    pages: HashMap<u64, Box<Page>>,
    /// Nodes by level, from the leaves up, and index.
    nodes: HashMap<(u32, u64), B256>,
    stale: BTreeSet<u64>,
    /// The values before each store, to undo the stores.
    undo: Vec<(u64, Vec<u8>)>,
    empty: Vec<B256>,
}

impl CkbMemory {
    pub(crate) fn of(pages: &HashMap<u64, Box<Page>>) -> Self {
        let mut empty = vec![B256::ZERO];
        for level in 0..LEVELS as usize {
            empty.push(parent(empty[level], empty[level]));
        }
        let leaves = |page: &u64| *page / LEAF_BYTES..(*page + PAGE_BYTES) / LEAF_BYTES;
        let stale = pages.keys().flat_map(leaves).collect();
        Self { pages: pages.clone(), empty, stale, ..Self::default() }
    }

    pub(crate) fn root(&mut self) -> B256 {
        let mut stale = std::mem::take(&mut self.stale);
        for index in &stale {
            let leaf = self.read(index * LEAF_BYTES, LEAF_BYTES);
            self.nodes.insert((0, *index), B256::from_slice(&leaf));
        }
        for level in 1..=LEVELS {
            stale = stale.into_iter().map(|index| index / 2).collect();
            for index in &stale {
                let [left, right] =
                    [2 * index, 2 * index + 1].map(|child| self.node(level - 1, child));
                self.nodes.insert((level, *index), parent(left, right));
            }
        }
        self.node(LEVELS, 0)
    }

    /// Undoes all stores.
    pub(crate) fn undo(&mut self) {
        while let Some((address, bytes)) = self.undo.pop() {
            self.write(address, &bytes);
        }
    }

    fn node(&self, level: u32, index: u64) -> B256 {
        self.nodes.get(&(level, index)).copied().unwrap_or(self.empty[level as usize])
    }

    fn read(&self, address: u64, size: u64) -> Vec<u8> {
        let byte = |address: u64| {
            let page = self.pages.get(&(address / PAGE_BYTES * PAGE_BYTES));
            page.map_or(0, |page| page[index(address % PAGE_BYTES)])
        };
        (address..address + size).map(byte).collect()
    }

    fn write(&mut self, address: u64, bytes: &[u8]) {
        for (address, byte) in (address..).zip(bytes) {
            let page = self.pages.entry(address / PAGE_BYTES * PAGE_BYTES);
            page.or_insert_with(|| Box::new([0; PAGE_BYTES as usize]))
                [index(address % PAGE_BYTES)] = *byte;
            self.stale.insert(address / LEAF_BYTES);
        }
    }

    fn load(&self, address: u64, size: u64) -> Result<u64, Error> {
        check(address, size)?;
        let mut bytes = [0; 8];
        bytes[..index(size)].copy_from_slice(&self.read(address, size));
        Ok(u64::from_le_bytes(bytes))
    }

    fn store(&mut self, address: u64, size: u64, value: u64) -> Result<(), Error> {
        check(address, size)?;
        self.undo.push((address, self.read(address, size)));
        self.write(address, &value.to_le_bytes()[..index(size)]);
        Ok(())
    }
}

fn check(address: u64, size: u64) -> Result<(), Error> {
    match address {
        _ if !address.is_multiple_of(size) => Err(Error::MemPageUnalignedAccess),
        MEMORY_BYTES.. => Err(Error::MemOutOfBound),
        _ => Ok(()),
    }
}

fn index(number: u64) -> usize {
    usize::try_from(number).expect("number fits usize")
}

fn parent(left: B256, right: B256) -> B256 {
    keccak256([left, right].concat())
}

/// The accesses of single instructions.
impl Memory for CkbMemory {
    type REG = u64;

    fn load8(&mut self, address: &u64) -> Result<u64, Error> {
        self.load(*address, 1)
    }

    fn load16(&mut self, address: &u64) -> Result<u64, Error> {
        self.load(*address, 2)
    }

    fn load32(&mut self, address: &u64) -> Result<u64, Error> {
        self.load(*address, 4)
    }

    fn load64(&mut self, address: &u64) -> Result<u64, Error> {
        self.load(*address, 8)
    }

    fn store8(&mut self, address: &u64, value: &u64) -> Result<(), Error> {
        self.store(*address, 1, *value)
    }

    fn store16(&mut self, address: &u64, value: &u64) -> Result<(), Error> {
        self.store(*address, 2, *value)
    }

    fn store32(&mut self, address: &u64, value: &u64) -> Result<(), Error> {
        self.store(*address, 4, *value)
    }

    fn store64(&mut self, address: &u64, value: &u64) -> Result<(), Error> {
        self.store(*address, 8, *value)
    }

    fn execute_load32(&mut self, address: u64) -> Result<u32, Error> {
        Ok(u32::try_from(self.load(address, 4)?).expect("the load has 4 bytes"))
    }

    fn memory_size(&self) -> usize {
        index(MEMORY_BYTES)
    }

    fn new() -> Self {
        unreachable!("made from pages")
    }

    fn new_with_memory(_: usize) -> Self {
        unreachable!("made from pages")
    }

    fn init_pages(&mut self, _: u64, _: u64, _: u8, _: Option<Bytes>, _: u64) -> Result<(), Error> {
        Err(Error::Unimplemented)
    }

    fn fetch_flag(&mut self, _: u64) -> Result<u8, Error> {
        Err(Error::Unimplemented)
    }

    fn set_flag(&mut self, _: u64, _: u8) -> Result<(), Error> {
        Err(Error::Unimplemented)
    }

    fn clear_flag(&mut self, _: u64, _: u8) -> Result<(), Error> {
        Err(Error::Unimplemented)
    }

    fn store_byte(&mut self, _: u64, _: u64, _: u8) -> Result<(), Error> {
        Err(Error::Unimplemented)
    }

    fn store_bytes(&mut self, _: u64, _: &[u8]) -> Result<(), Error> {
        Err(Error::Unimplemented)
    }

    fn load_bytes(&mut self, _: u64, _: u64) -> Result<Bytes, Error> {
        Err(Error::Unimplemented)
    }

    fn execute_load16(&mut self, _: u64) -> Result<u16, Error> {
        Err(Error::Unimplemented)
    }

    fn lr(&self) -> &u64 {
        unreachable!("no atomics")
    }

    fn set_lr(&mut self, _: &u64) {
        unreachable!("no atomics")
    }
}

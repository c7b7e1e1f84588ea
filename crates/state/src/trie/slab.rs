//! Values by number. Freed numbers are reused.

use alloc::vec::Vec;

/// Values by number.
#[derive(Clone, Debug)]
pub(crate) struct Slab<T> {
    values: Vec<T>,
    free: Vec<u32>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self { values: Vec::new(), free: Vec::new() }
    }
}

impl<T> Slab<T> {
    pub(crate) fn insert(&mut self, value: T) -> u32 {
        if let Some(number) = self.free.pop() {
            self.values[number as usize] = value;
            return number;
        }
        let number = u32::try_from(self.values.len()).expect("invariant: fewer than 2^32 values");
        self.values.push(value);
        number
    }

    /// Frees the number. The value stays readable until the number is reused.
    pub(crate) fn remove(&mut self, number: u32) {
        self.free.push(number);
    }

    pub(crate) fn get(&self, number: u32) -> &T {
        &self.values[number as usize]
    }

    pub(crate) fn get_mut(&mut self, number: u32) -> &mut T {
        &mut self.values[number as usize]
    }

    /// The largest number of values held at one time.
    #[cfg(test)]
    pub(crate) fn capacity_used(&self) -> usize {
        self.values.len()
    }

    /// Bytes that the slab takes, without what its values own on the heap.
    pub(crate) fn memory(&self) -> usize {
        self.values.capacity() * size_of::<T>() + self.free.capacity() * 4
    }
}

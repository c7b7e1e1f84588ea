//! Keccak-256 for alloy, whose own has no eye on how many instructions it takes.

use core::slice;

/// What alloy's feature `native-keccak` calls.
///
/// # Safety
///
/// There must be `len` bytes at `bytes`, and 32 at `output`.
#[unsafe(no_mangle)]
unsafe extern "C" fn native_keccak256(bytes: *const u8, len: usize, output: *mut u8) {
    // SAFETY: the caller's.
    let (message, output) = unsafe {
        (slice::from_raw_parts(bytes, len), &mut *output.cast::<[u8; 32]>())
    };
    *output = turnpike_keccak::keccak256(message);
}

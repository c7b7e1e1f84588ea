//! Keccak-256 for alloy in few instructions: alloy's own implementation takes more of them.

use core::slice;

/// Alloy's feature `native-keccak` calls this function.
///
/// # Safety
///
/// `bytes` must point to `len` bytes, and `output` to 32.
#[unsafe(no_mangle)]
unsafe extern "C" fn native_keccak256(bytes: *const u8, len: usize, output: *mut u8) {
    // SAFETY: the caller guarantees both lengths.
    let (message, output) = unsafe {
        (slice::from_raw_parts(bytes, len), &mut *output.cast::<[u8; 32]>())
    };
    *output = turnpike_keccak::keccak256(message);
}

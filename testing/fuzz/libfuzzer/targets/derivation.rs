//! Fuzzes [`turnpike_fuzz::derivation`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    turnpike_fuzz::derivation(data);
});

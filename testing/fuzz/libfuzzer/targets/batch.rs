//! Fuzzes [`turnpike_fuzz::batch`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    turnpike_fuzz::batch(data);
});

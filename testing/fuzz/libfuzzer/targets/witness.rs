//! Fuzzes [`turnpike_fuzz::witness`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    turnpike_fuzz::witness(data);
});

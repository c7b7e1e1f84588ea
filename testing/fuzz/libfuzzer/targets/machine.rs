//! Fuzzes [`turnpike_fuzz::machine`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    turnpike_fuzz::machine(data);
});

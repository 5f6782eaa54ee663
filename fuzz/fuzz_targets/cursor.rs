//! Cursors of pages: as a client sends them, and what was sealed inside of one.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| clearance::__fuzzing::cursor(data));

//! Bodies of JSON as a client sends them, taken apart member by member.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| clearance::__fuzzing::body(data));

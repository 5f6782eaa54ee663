//! Random cases that can be run again.

use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// A runner of this many cases. Its seed is printed, which a failing test shows; with it in
/// `CLEARANCE_SEED` the same cases are run again.
pub fn runner(cases: u32) -> TestRunner {
    let seed = match std::env::var("CLEARANCE_SEED") {
        Ok(text) => text.parse().unwrap(),
        Err(_) => uuid::Uuid::new_v4().as_u128(),
    };
    println!("CLEARANCE_SEED={seed}");
    let mut bytes = [0; 32];
    bytes[..16].copy_from_slice(&seed.to_le_bytes());
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}

/// How many cases a run has: `usual`, unless the variable says otherwise.
pub fn cases(variable: &str, usual: u32) -> u32 {
    std::env::var(variable)
        .ok()
        .and_then(|cases| cases.parse().ok())
        .unwrap_or(usual)
}

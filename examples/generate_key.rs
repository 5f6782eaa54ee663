//! Prints a new key, as `Key::from_env` reads it: `cargo run --example generate_key`.

use clearance::{Key, Result};

/// The line to put into the environment.
pub(crate) fn line() -> Result<String> {
    Ok(Key::generate()?.expose_text())
}

fn main() -> Result<()> {
    println!("{}", line()?);
    Ok(())
}

//! `cargo xtask browser`: what a real browser makes of the cookies and answers, and the last output kept.

use std::path::PathBuf;

use crate::Failure;
use crate::command::{cargo, root, shown, write};
use crate::servers::program;

/// Debian's browser, and what drives it.
const PACKAGES: &str = "chromium chromium-driver";

fn driver() -> Option<PathBuf> {
    let found = PathBuf::from("/usr/bin/chromedriver");
    found.exists().then_some(found)
}

pub(crate) fn run() -> Result<(), Failure> {
    let driver = program(PACKAGES, driver)?;
    // The test starts it, beside itself.
    let mut build = cargo(&root());
    build.args(["build", "-p", "clearance-adapters", "--example", "axum"]);
    let (_, built) = shown(&mut build)?;
    if !built {
        return Err("the example does not build".to_owned());
    }
    let mut command = cargo(&root());
    command
        .args(["test", "-p", "clearance-adapters", "--test", "browser"])
        .env("CHROMEDRIVER", driver);
    let (output, passed) = shown(&mut command)?;
    let text = format!(
        "# Browser\n\nThe last output of `cargo xtask browser`: {}.\n\n```text\n{}\n```\n",
        if passed { "passed" } else { "FAILED" },
        output.trim()
    );
    write(&root().join("docs/results/browser.md"), &text)?;
    if passed {
        Ok(())
    } else {
        Err("the browser found something; docs/results/browser.md says what".to_owned())
    }
}

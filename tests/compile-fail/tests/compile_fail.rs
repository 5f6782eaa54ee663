//! One file a rule: those in `ui` must not compile, with exactly the stored message; those in `pass`
//! must.

#[test]
fn compile_fail() {
    trybuild::TestCases::new().compile_fail("ui/*.rs");
}

#[test]
fn pass() {
    trybuild::TestCases::new().pass("pass/*.rs");
}

/// A reader of several errors has seen the forms of a rule after the first.
#[test]
fn x24_no_stored_message_lists_the_forms_of_a_rule_twice() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/ui");
    let mut listed = 0;
    for entry in std::fs::read_dir(directory).expect("the cases") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|it| it == "stderr") {
            let message = std::fs::read_to_string(&path).expect("text");
            let forms = message.matches("a rule compares columns").count();
            assert!(forms <= 1, "{}", path.display());
            listed += forms;
        }
    }
    assert!(listed > 0, "no message lists the forms");
}

#[test]
fn x23_derives_inside_of_macros_pass() {
    trybuild::TestCases::new().pass("pass/x23/*.rs");
}

/// No toolchain for WebAssembly is needed to see that the crate refuses to be built for it: the
/// refusal stands before anything that such a target lacks.
#[test]
fn vs_17_sr_01_asvs_7_2_1_built_for_a_browser_it_says_that_it_is_for_servers() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../src/lib.rs");
    let output = std::process::Command::new("rustc")
        .args(["--edition=2024", "--crate-type=lib", "--emit=metadata"])
        .args([
            "--cfg=target_family=\"wasm\"",
            "-Aexplicit_builtin_cfgs_in_flags",
        ])
        .arg("--out-dir")
        .arg(env!("CARGO_TARGET_TMPDIR"))
        .arg(root)
        .output()
        .expect("rustc runs");
    assert!(!output.status.success());
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(message.contains("is for servers only"), "{message}");
}

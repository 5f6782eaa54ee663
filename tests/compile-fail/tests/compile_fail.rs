//! One file a rule: `ui` must not compile, with exactly the stored message; `pass` must.

#[test]
fn ui() {
    trybuild::TestCases::new().compile_fail("ui/*.rs");
}

#[test]
fn pass() {
    trybuild::TestCases::new().pass("pass/*.rs");
}

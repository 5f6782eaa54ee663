//! One entry of `xtask/mutations.toml`.

use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    mutation: Vec<Entry>,
}

/// A change to the code, and the test that must notice it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    /// The behaviours whose check is taken out.
    pub(crate) id: Vec<String>,
    /// The file to change, from the workspace root.
    pub(crate) file: String,
    find: String,
    replace: String,
    test: Tests,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Tests {
    One(String),
    Several(Vec<String>),
}

pub(crate) fn parse(text: &str) -> Result<Vec<Entry>, String> {
    let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
    for entry in &file.mutation {
        if entry.id.is_empty() || entry.tests().is_empty() {
            return Err(format!(
                "an entry for {} names no id or no test",
                entry.file
            ));
        }
        if entry.find == entry.replace {
            return Err(format!("{} in {} changes nothing", entry.ids(), entry.file));
        }
    }
    Ok(file.mutation)
}

impl Entry {
    pub(crate) fn ids(&self) -> String {
        self.id.join(", ")
    }

    /// What follows `cargo test`, for each test that must fail.
    pub(crate) fn tests(&self) -> &[String] {
        match &self.test {
            Tests::One(test) => std::slice::from_ref(test),
            Tests::Several(tests) => tests,
        }
    }

    /// The file's text with the change made, or why it cannot be made.
    pub(crate) fn apply(&self, text: &str) -> Result<String, String> {
        match text.matches(self.find.as_str()).count() {
            1 => Ok(text.replacen(self.find.as_str(), &self.replace, 1)),
            0 => Err(format!("the text to find is not in {}", self.file)),
            count => Err(format!(
                "the text to find stands {count} times in {}",
                self.file
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
[[mutation]]
id = ["SD-04"]
file = "src/token.rs"
find = "if forged {"
replace = "if false {"
test = "--lib sd_04_forged"
"#;

    fn entry() -> Entry {
        parse(TEXT).unwrap().remove(0)
    }

    #[test]
    fn an_entry_is_read() {
        let entry = entry();
        assert_eq!(entry.ids(), "SD-04");
        assert_eq!(entry.tests(), ["--lib sd_04_forged"]);
    }

    #[test]
    fn several_tests_may_be_named() {
        let text = TEXT.replace(r#""--lib sd_04_forged""#, r#"["--lib a", "--lib b"]"#);
        let entries = parse(&text).unwrap();
        assert_eq!(entries[0].tests(), ["--lib a", "--lib b"]);
    }

    #[test]
    fn an_entry_that_says_too_little_is_refused() {
        for (from, to) in [
            (r#"["SD-04"]"#, "[]"),
            (r#""--lib sd_04_forged""#, "[]"),
            ("if false {", "if forged {"),
            ("replace", "replaces"),
        ] {
            assert!(parse(&TEXT.replace(from, to)).is_err(), "{to}");
        }
    }

    #[test]
    fn the_text_to_find_must_stand_exactly_once() {
        let entry = entry();
        assert_eq!(
            entry.apply("fn a() { if forged { b() } }").unwrap(),
            "fn a() { if false { b() } }"
        );
        assert!(entry.apply("fn a() {}").unwrap_err().contains("is not in"));
        let twice = entry.apply("if forged { if forged {").unwrap_err();
        assert!(twice.contains("2 times"), "{twice}");
    }
}

//! One entry of `xtask/mutations.toml`.

use serde::Deserialize;

use crate::servers::Engine;

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
    /// The engine that shows it; SQLite where none is named.
    pub(crate) engine: Option<Engine>,
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

    /// The tests, each with the engine that it asks.
    pub(crate) fn runs(&self) -> impl Iterator<Item = (Option<Engine>, &str)> {
        let tests = self.tests().iter();
        tests.map(|test| (self.engine, test.as_str()))
    }

    /// Whether it takes the check of this behaviour out, or changes this file.
    pub(crate) fn is_about(&self, id_or_file: &str) -> bool {
        self.file == id_or_file || self.id.iter().any(|id| id == id_or_file)
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
        assert!(entry.is_about("SD-04") && entry.is_about("src/token.rs"));
        assert!(!entry.is_about("SD-05") && !entry.is_about("src"));
    }

    #[test]
    fn several_tests_may_be_named() {
        let text = TEXT.replace(r#""--lib sd_04_forged""#, r#"["--lib a", "--lib b"]"#);
        let entries = parse(&text).unwrap();
        assert_eq!(entries[0].tests(), ["--lib a", "--lib b"]);
    }

    #[test]
    fn an_engine_may_be_named() {
        assert_eq!(entry().engine, None);
        let named = |engine: &str| parse(&format!("{TEXT}engine = \"{engine}\""));
        assert_eq!(named("mysql").unwrap()[0].engine, Some(Engine::Mysql));
        assert!(named("mysqll").is_err());
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

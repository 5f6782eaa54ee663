//! The id of a behaviour, and how a test's name carries it.

use std::fmt;

/// An id such as `SD-04`, `R1` or `ASVS-8.1.1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Id {
    family: String,
    dash: bool,
    number: String,
}

impl Id {
    /// Reads capital letters, an optional dash, and digits.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let letters = text.chars().take_while(char::is_ascii_uppercase).count();
        let (family, rest) = text.split_at_checked(letters)?;
        let number = rest.strip_prefix('-');
        let dash = number.is_some();
        let number = number.unwrap_or(rest);
        let parts = || number.split('.');
        // Only behind a dash do the parts stand as words of their own in a name.
        let valid = !family.is_empty() && parts().all(is_number) && (dash || parts().count() == 1);
        valid.then(|| Self {
            family: family.to_owned(),
            dash,
            number: number.to_owned(),
        })
    }

    /// Whether `name` carries this id, in small letters and as whole words: `SD-04` as `sd_04`,
    /// `R1` as `r1` and never within `r10`.
    pub(crate) fn is_in(&self, name: &str) -> bool {
        let words: Vec<&str> = words(name).collect();
        let family = self.family.to_ascii_lowercase();
        if self.dash {
            let wanted: Vec<&str> = std::iter::once(family.as_str())
                .chain(self.number.split('.'))
                .collect();
            words.windows(wanted.len()).any(|found| found == wanted)
        } else {
            let word = format!("{family}{}", self.number);
            words.contains(&word.as_str())
        }
    }

    /// Every id in `name` whose family is one of those that `known` has.
    pub(crate) fn all_in(name: &str, known: &[&Self]) -> Vec<Self> {
        let words: Vec<&str> = words(name).collect();
        let mut found: Vec<Self> = Vec::new();
        for (position, word) in words.iter().enumerate() {
            for id in known {
                let family = id.family.to_ascii_lowercase();
                let number = if id.dash {
                    // As many words as the known id has parts.
                    let parts = id.number.split('.').count();
                    let next = words.get(position + 1..position + 1 + parts);
                    next.filter(|next| *word == family && next.iter().all(|part| is_number(part)))
                        .map(|next| next.join("."))
                } else {
                    word.strip_prefix(family.as_str())
                        .filter(|number| is_number(number))
                        .map(str::to_owned)
                };
                if let Some(number) = number {
                    let id = Self {
                        family: id.family.clone(),
                        dash: id.dash,
                        number,
                    };
                    if !found.contains(&id) {
                        found.push(id);
                    }
                }
            }
        }
        found
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dash = if self.dash { "-" } else { "" };
        write!(f, "{}{dash}{}", self.family, self.number)
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The words of a test's name, of a documentation test's name or of a file's name.
fn words(name: &str) -> impl Iterator<Item = &str> {
    name.split(|character: char| !character.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> Id {
        Id::parse(text).unwrap()
    }

    #[test]
    fn ids_are_read_and_shown_alike() {
        for text in ["SD-04", "R1", "CB-1", "RF-16", "T-1", "X12", "ASVS-8.1.1"] {
            assert_eq!(id(text).to_string(), text);
        }
        for text in [
            "",
            "id",
            "SD",
            "SD-",
            "-04",
            "04",
            "SD-4a",
            "SD--4",
            "sd-04",
            "R1.1",
            "ASVS-8.",
            "ASVS-8..1",
        ] {
            assert_eq!(Id::parse(text), None, "{text}");
        }
    }

    #[test]
    fn an_id_is_matched_as_whole_words() {
        assert!(id("SD-04").is_in("sd_04_forged_cookie_costs_no_store_call"));
        assert!(id("SD-04").is_in("token::tests::sd_04_forged"));
        assert!(id("RB-02").is_in("rb_01_rb_02_rb_08_roles"));
        assert!(id("R1").is_in("reading::r1_mixed_list"));
        assert!(id("R1").is_in("r1"));
        assert!(id("X4").is_in("x4_field_without_policy.rs"));
        assert!(id("ASVS-8.1.1").is_in("x7_asvs_8_1_1_asvs_8_1_2_the_matrix"));
    }

    #[test]
    fn a_longer_id_is_not_a_match() {
        assert!(!id("R1").is_in("r10_null_is_not_hidden"));
        assert!(!id("R1").is_in("or1_something"));
        assert!(!id("CB-1").is_in("cb_10_something"));
        assert!(!id("CB-1").is_in("cb1_something"));
        assert!(!id("SD-04").is_in("sd_4_something"));
        assert!(!id("SD-04").is_in("sd_040_something"));
        assert!(!id("SD-04").is_in("sd_forged_04"));
        assert!(!id("ASVS-8.1.1").is_in("asvs_8_1_10_something"));
    }

    #[test]
    fn a_documentation_test_is_matched_by_its_item() {
        assert!(id("R1").is_in("src/lib.rs - reading::r1_mixed_list (line 3)"));
    }
}

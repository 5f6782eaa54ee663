//! The rules by which serde renames fields, so that `rename_all` means the same here.

use syn::LitStr;

use crate::diag::error;

/// A value of `#[serde(rename_all = "..")]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum RenameRule {
    /// The field's own name.
    #[default]
    None,
    Lower,
    Upper,
    Pascal,
    Camel,
    Snake,
    ScreamingSnake,
    Kebab,
    ScreamingKebab,
}

impl RenameRule {
    const NAMES: [(&'static str, Self); 8] = [
        ("lowercase", Self::Lower),
        ("UPPERCASE", Self::Upper),
        ("PascalCase", Self::Pascal),
        ("camelCase", Self::Camel),
        ("snake_case", Self::Snake),
        ("SCREAMING_SNAKE_CASE", Self::ScreamingSnake),
        ("kebab-case", Self::Kebab),
        ("SCREAMING-KEBAB-CASE", Self::ScreamingKebab),
    ];

    pub(crate) fn from_literal(literal: &LitStr) -> syn::Result<Self> {
        let value = literal.value();
        Self::NAMES
            .iter()
            .find(|(name, _)| *name == value)
            .map(|(_, rule)| *rule)
            .ok_or_else(|| {
                let names: Vec<String> = Self::NAMES
                    .iter()
                    .map(|(name, _)| format!("\"{name}\""))
                    .collect();
                error(
                    literal,
                    format!("unknown naming rule \"{value}\""),
                    format!("serde knows {}", names.join(", ")),
                )
            })
    }

    /// Returns the renamed form of a field, whose name is in snake case.
    ///
    /// `lowercase` and `snake_case` leave it unchanged, as in serde.
    pub(crate) fn apply_to_field(self, field: &str) -> String {
        match self {
            Self::None | Self::Lower | Self::Snake => field.to_owned(),
            Self::Upper | Self::ScreamingSnake => field.to_ascii_uppercase(),
            Self::Pascal => pascal(field),
            Self::Camel => {
                let pascal = pascal(field);
                let mut letters = pascal.chars();
                letters.next().map_or_else(String::new, |first| {
                    format!("{}{}", first.to_ascii_lowercase(), letters.as_str())
                })
            }
            Self::Kebab => field.replace('_', "-"),
            Self::ScreamingKebab => field.to_ascii_uppercase().replace('_', "-"),
        }
    }
}

fn pascal(field: &str) -> String {
    let mut pascal = String::new();
    let mut capital = true;
    for letter in field.chars() {
        if letter == '_' {
            capital = true;
        } else if capital {
            pascal.push(letter.to_ascii_uppercase());
            capital = false;
        } else {
            pascal.push(letter);
        }
    }
    pascal
}

/// Returns the snake case of an enum's variant, as serde forms it.
pub(crate) fn snake_variant(variant: &str) -> String {
    let mut snake = String::new();
    for (index, letter) in variant.char_indices() {
        if index > 0 && letter.is_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::{RenameRule, snake_variant};

    #[test]
    fn x3_rename_all_forms_the_names_that_serde_forms() {
        for (rule, one, two) in [
            (RenameRule::None, "outcome", "very_tasty"),
            (RenameRule::Lower, "outcome", "very_tasty"),
            (RenameRule::Upper, "OUTCOME", "VERY_TASTY"),
            (RenameRule::Pascal, "Outcome", "VeryTasty"),
            (RenameRule::Camel, "outcome", "veryTasty"),
            (RenameRule::Snake, "outcome", "very_tasty"),
            (RenameRule::ScreamingSnake, "OUTCOME", "VERY_TASTY"),
            (RenameRule::Kebab, "outcome", "very-tasty"),
            (RenameRule::ScreamingKebab, "OUTCOME", "VERY-TASTY"),
        ] {
            assert_eq!(rule.apply_to_field("outcome"), one);
            assert_eq!(rule.apply_to_field("very_tasty"), two);
        }
        assert_eq!(RenameRule::Camel.apply_to_field("_a"), "a");
        assert_eq!(RenameRule::Camel.apply_to_field("__"), "");
    }

    #[test]
    fn variants_become_snake_case() {
        assert_eq!(snake_variant("InReview"), "in_review");
        assert_eq!(snake_variant("Draft"), "draft");
    }
}

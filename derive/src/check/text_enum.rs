//! Checks of enums stored as text.

use std::collections::BTreeSet;

use crate::diag::Diag;
use crate::syntax::text_enum::RawTextEnum;

/// Reports the errors of the enum.
pub(crate) fn check(raw: &RawTextEnum, diag: &mut Diag) {
    some_variant(raw, diag);
    one_variant_each(raw, diag);
}

/// `enum Status {}`
fn some_variant(raw: &RawTextEnum, diag: &mut Diag) {
    if raw.variants.is_empty() {
        diag.error(
            &raw.ident,
            format!(
                "an enum under `derive({})` must have a variant",
                raw.derive.name()
            ),
            "add one",
        );
    }
}

/// `Draft, #[text_enum(name = "draft")] Old`, `#[text_enum(name = "")] Draft`
fn one_variant_each(raw: &RawTextEnum, diag: &mut Diag) {
    let mut seen = BTreeSet::new();
    for variant in &raw.variants {
        let at = |diag: &mut Diag, message: String, help: &str| match &variant.stated {
            Some(stated) => diag.error(stated, message, help),
            None => diag.error(&variant.ident, message, help),
        };
        if variant.name.is_empty() {
            at(
                diag,
                "the name is empty".to_owned(),
                "name the variant as it is stored",
            );
        }
        if !seen.insert(&variant.name) {
            at(
                diag,
                format!("two variants are stored as \"{}\"", variant.name),
                "give each a name of its own",
            );
        }
    }
}

//! Checks of functions under `#[rule]`.

use syn::{Safety, Type};

use crate::diag::Diag;
use crate::rule::{Place, Rule};
use crate::syntax::named_rule::{FORM, RawNamedRule};

/// A named rule that passed the checks.
#[derive(Debug)]
pub(crate) struct NamedRule {
    pub(crate) viewer: Type,
    pub(crate) row: Type,
    pub(crate) rule: Rule,
}

pub(crate) fn check(raw: &mut RawNamedRule, diag: &mut Diag) -> Option<NamedRule> {
    plain_function(raw, diag);
    let rule = raw
        .rule
        .take()
        .and_then(|rule| rule.check(Place::Named, diag));
    if !diag.is_clean() {
        return None;
    }
    Some(NamedRule {
        viewer: raw.viewer.clone()?,
        row: raw.row.clone()?,
        rule: rule?,
    })
}

/// `#[rule] async fn`, `#[rule] fn f<T>(..)`, `#[rule] unsafe fn`
fn plain_function(raw: &RawNamedRule, diag: &mut Diag) {
    if let Some(word) = &raw.signature.asyncness {
        diag.error(word, "a rule is not async", FORM);
    }
    if let Some(word) = &raw.signature.constness {
        diag.error(word, "a rule is not const", FORM);
    }
    if let Safety::Unsafe(word) = &raw.signature.safety {
        diag.error(word, "a rule is not unsafe", FORM);
    }
    if !raw.signature.generics.params.is_empty() {
        diag.error(
            &raw.signature.generics.params,
            "a rule takes no type, lifetime or const parameters",
            FORM,
        );
    }
}

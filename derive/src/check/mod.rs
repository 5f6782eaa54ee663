//! Checks that turn raw models into checked ones. Each rule between attributes is one small function,
//! whose comment shows the code that it rejects.

pub(crate) mod dto;
pub(crate) mod entity;
pub(crate) mod input;
pub(crate) mod named_rule;
pub(crate) mod repository;
pub(crate) mod text_enum;
pub(crate) mod viewer;

use std::collections::BTreeMap;

use proc_macro2::Ident;

use crate::diag::Diag;
use crate::syntax::{constant_name, plain_name};

/// `name: String, NAME: String`
fn one_constant_each<'i>(fields: impl Iterator<Item = &'i Ident>, diag: &mut Diag) {
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    for field in fields {
        let constant = constant_name(field);
        if let Some(other) = seen.insert(constant.clone(), plain_name(field)) {
            diag.error(
                field,
                format!("the constant `{constant}` is already used for the field `{other}`"),
                "give one of the two another name: each field becomes a constant, in capitals",
            );
        }
    }
}

//! Collection of all rules of an application, and of the request attributes that they read.

use clearance::__matrix::{DtoEntry, EntityEntry, InputEntry, attribute};
use clearance::registry::{Guard, RepositoryInfo, RuleInfo};

use crate::model::AttributeRow;
use crate::rows::place;

/// Collects every rule of entities, DTOs and input types, each with the item that declares it.
pub(crate) fn rules<'a, V: 'static>(
    entities: impl IntoIterator<Item = &'a EntityEntry<V>>,
    dtos: impl IntoIterator<Item = &'a DtoEntry<V>>,
    inputs: impl IntoIterator<Item = &'a InputEntry<V>>,
) -> Vec<(String, &'a RuleInfo)> {
    let mut found: Vec<(String, &RuleInfo)> = Vec::new();
    let mut add = |what: &str, rules: &'a [RuleInfo]| {
        found.extend(rules.iter().map(|rule| (what.to_owned(), rule)));
    };
    for entity in entities {
        let name = entity.info.schema().entity();
        for (action, stated) in entity.info.operations() {
            add(&format!("{name}, {}", attribute(*action)), stated.rules());
        }
        add(&format!("{name}, updated_if"), entity.info.updated());
        for (field, rules) in entity.info.filters() {
            add(&format!("{name}, filter_if of {field}"), rules);
        }
    }
    for dto in dtos {
        for field in dto.info.fields() {
            let what = format!("{}::{}", dto.info.name(), field.field());
            add(&what, field.rules());
        }
    }
    for input in inputs {
        for field in input.info.fields() {
            let what = format!("{}::{}", input.info.name(), field.field());
            add(&what, field.rules());
        }
    }
    found
}

/// Lists the request attributes that rules and conditions can read, and the places that read each.
pub(crate) fn attributes(
    rules: &[(String, &RuleInfo)],
    repositories: &[RepositoryInfo],
) -> Vec<AttributeRow> {
    let mut texts: Vec<(&str, String)> = rules
        .iter()
        .map(|(_, rule)| (rule.source().text, rule.source().place()))
        .collect();
    for method in repositories.iter().flat_map(RepositoryInfo::methods) {
        match method.guard() {
            Guard::Authorize(condition) => texts.push((condition, place(method))),
            Guard::Authenticated | Guard::Public(_) => {}
        }
    }
    let reading = |reads: &dyn Fn(&str) -> bool| {
        let mut places: Vec<String> = texts
            .iter()
            .filter(|(text, _)| reads(text))
            .map(|(_, place)| place.clone())
            .collect();
        places.sort();
        places.dedup();
        places
    };
    vec![
        AttributeRow {
            attribute: "context.now",
            meaning: "the instant of the use, in UTC: of each query, write, page and row of a stream",
            read_at: reading(&|text| text.contains("context.now")),
        },
        AttributeRow {
            attribute: "context.address",
            meaning: "the address of the peer, where the adapter knows it",
            read_at: reading(&|text| text.contains("context.address")),
        },
        AttributeRow {
            attribute: "context",
            meaning: "handed as a whole to a function of the application",
            read_at: reading(&|text| text.contains("opaque(") || hands_on_context(text)),
        },
    ]
}

/// Returns whether the text names `context` other than for one of its attributes.
fn hands_on_context(text: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices("context").any(|(start, word)| {
        let before = text
            .get(..start)
            .and_then(|before| before.chars().next_back());
        let behind = text.get(start + word.len()..).unwrap_or_default();
        let is_own_word = !before.is_some_and(|c| is_word(c) || c == '.')
            && !behind.chars().next().is_some_and(is_word);
        is_own_word && !behind.starts_with(".now") && !behind.starts_with(".address")
    })
}

//! The tables that are known not to be views, so that a write need not look them up again.

use std::collections::HashSet;
use std::sync::RwLock;

use crate::entity::Schema;

/// The entities that are known to map to a table and not to a view, by the address of their schema.
#[derive(Default)]
pub(crate) struct KnownTables(RwLock<HashSet<usize>>);

impl KnownTables {
    pub(crate) fn has(&self, schema: &'static Schema) -> bool {
        // If a panic poisoned the lock, the table is looked up once more.
        self.0
            .read()
            .is_ok_and(|known| known.contains(&place(schema)))
    }

    pub(crate) fn add(&self, schema: &'static Schema) {
        if let Ok(mut known) = self.0.write() {
            known.insert(place(schema));
        }
    }
}

fn place(schema: &'static Schema) -> usize {
    std::ptr::from_ref(schema).addr()
}

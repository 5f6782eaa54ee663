//! The plan cache of a database: the texts of statements, by the structure that they were rendered from.

use std::any::Any;
use std::sync::Arc;

/// The maximum bytes of texts and structures that are cached for one database.
const CAPACITY: u64 = 8 * 1024 * 1024;

/// The cached texts of a database. The room that renders a text decides what it is kept as.
pub(crate) struct Texts(moka::sync::Cache<Arc<[u8]>, CachedText>);

#[derive(Clone)]
struct CachedText {
    text: Arc<dyn Any + Send + Sync>,
    bytes: usize,
}

impl Texts {
    pub(super) fn new() -> Self {
        let weight = |structure: &Arc<[u8]>, cached: &CachedText| {
            let bytes = structure.len() + cached.bytes;
            bytes.try_into().unwrap_or(u32::MAX)
        };
        Self(
            moka::sync::Cache::builder()
                .max_capacity(CAPACITY)
                .weigher(weight)
                .build(),
        )
    }

    /// Returns the text of a structure, if there is one of this type.
    ///
    /// A structure is compared byte by byte, so a text is never found by a hash alone.
    pub(crate) fn get<T: Any + Send + Sync>(&self, structure: &[u8]) -> Option<Arc<T>> {
        self.0.get(structure)?.text.downcast().ok()
    }

    /// Caches the text of a structure, which takes this many bytes.
    pub(crate) fn insert<T: Any + Send + Sync>(&self, structure: Vec<u8>, text: T, bytes: usize) {
        let text = Arc::new(text);
        self.0.insert(structure.into(), CachedText { text, bytes });
    }
}

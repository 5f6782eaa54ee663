//! JSON output of the matrix.

use clearance::__matrix::internal;
use clearance::Result;

use crate::Matrix;

impl Matrix {
    /// Renders the matrix as JSON with line breaks, its keys and rows in a fixed order. The key
    /// `clearance_matrix` holds the version of the format, now 1; a later version may add keys.
    ///
    /// # Errors
    ///
    /// Never in practice: every part of a matrix is serialisable.
    pub fn to_json(&self) -> Result<String> {
        let mut json = serde_json::to_string_pretty(self)
            .map_err(|_| internal("the access matrix cannot be written as JSON"))?;
        json.push('\n');
        Ok(json)
    }
}

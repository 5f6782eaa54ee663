//! Validation of input types by garde.

use crate::error::FieldError;
use crate::limits::FIELD_ERRORS;

/// Returns garde's errors, by field.
pub fn validate<T>(value: &T) -> Vec<FieldError>
where
    T: garde::Validate,
    T::Context: Default,
{
    match value.validate() {
        Ok(()) => Vec::new(),
        Err(report) => {
            let found = report.iter();
            found
                // One more than an error response names, so that it can say that there were more.
                .take(FIELD_ERRORS + 1)
                .map(|(path, error)| FieldError::new(&path.to_string(), error.message()))
                .collect()
        }
    }
}

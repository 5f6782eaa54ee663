//! Checks of viewers.

use proc_macro2::Ident;

use crate::diag::Diag;
use crate::syntax::viewer::RawViewer;

/// Returns the field that holds the subject, and reports if there is none or more than one.
///
/// ```text
/// struct Member { name: String }
/// struct Member { #[viewer(subject)] a: i64, #[viewer(subject)] b: i64 }
/// ```
pub(crate) fn subject(raw: &RawViewer, diag: &mut Diag) -> Option<Ident> {
    for (_, word) in raw.subjects.iter().skip(1) {
        diag.error(word, "a viewer has one subject", "remove this `subject`");
    }
    let found = raw
        .subjects
        .first()
        .map(|(field, _)| field)
        .or(raw.id.as_ref());
    if found.is_none() {
        diag.error(
            &raw.ident,
            "the viewer has no field `id`",
            "mark the field of its id at sign-in with `#[viewer(subject)]`",
        );
    }
    found.cloned()
}

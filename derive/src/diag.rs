//! Collection of errors, so that the user sees all of them at once.

use std::fmt::Display;

use proc_macro2::TokenStream;
use quote::ToTokens;

/// The errors found so far. It must be consumed by [`Diag::finish`]: dropping it unread would let code
/// with errors through.
#[derive(Debug, Default)]
pub(crate) struct Diag {
    errors: Vec<syn::Error>,
    read: bool,
}

impl Diag {
    /// Reports `message` at `tokens`, with the corrected form or another way out as `help`.
    pub(crate) fn error(
        &mut self,
        tokens: impl ToTokens,
        message: impl Display,
        help: impl Display,
    ) {
        self.push(error(tokens, message, help));
    }

    /// Reports an error of the parser.
    pub(crate) fn push(&mut self, error: syn::Error) {
        self.errors.push(error);
    }

    /// Returns whether no error was found so far.
    pub(crate) const fn is_clean(&self) -> bool {
        self.errors.is_empty()
    }

    /// Returns the number of errors found so far.
    pub(crate) const fn count(&self) -> usize {
        self.errors.len()
    }

    /// Returns the errors as code that does not compile, in the order of the source; nothing if there
    /// are none.
    pub(crate) fn finish(mut self) -> TokenStream {
        self.read = true;
        self.errors.sort_by_key(|error| {
            let start = error.span().start();
            (start.line, start.column)
        });
        self.errors
            .iter()
            .map(syn::Error::to_compile_error)
            .collect()
    }
}

impl Drop for Diag {
    fn drop(&mut self) {
        debug_assert!(
            self.read || std::thread::panicking(),
            "errors were collected and never shown"
        );
    }
}

/// Makes an error with its help text.
pub(crate) fn error(
    tokens: impl ToTokens,
    message: impl Display,
    help: impl Display,
) -> syn::Error {
    syn::Error::new_spanned(tokens, format!("{message}\nhelp: {help}"))
}

/// Quotes each word in backticks, and joins them by commas.
pub(crate) fn list(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    quoted.join(", ")
}

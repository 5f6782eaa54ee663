//! Collection of errors, so that the user sees all of them at once.

use std::fmt::Display;

use proc_macro2::TokenStream;
use quote::ToTokens;

/// The errors found so far. It must be consumed by [`Diag::finish`]: dropping it unread would let code
/// with errors through.
#[derive(Debug, Default)]
pub(crate) struct Diag {
    errors: Vec<Reported>,
    read: bool,
}

#[derive(Debug)]
struct Reported {
    error: syn::Error,
    /// The same error where an earlier one has shown its help in full.
    again: Option<syn::Error>,
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

    /// Reports `message` at `tokens`, with a help text that only the first such error shows in full;
    /// the others show the short form.
    pub(crate) fn explained_once(
        &mut self,
        tokens: impl ToTokens,
        message: impl Display,
        full: impl Display,
        short: impl Display,
    ) {
        self.errors.push(Reported {
            error: error(&tokens, &message, full),
            again: Some(error(tokens, message, short)),
        });
    }

    /// Reports an error of the parser.
    pub(crate) fn push(&mut self, error: syn::Error) {
        self.errors.push(Reported { error, again: None });
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
        self.errors.sort_by_key(|reported| {
            let start = reported.error.span().start();
            (start.line, start.column)
        });
        let mut is_explained = false;
        self.errors
            .iter()
            .map(|Reported { error, again }| match again {
                Some(again) if is_explained => again.to_compile_error(),
                Some(_) => {
                    is_explained = true;
                    error.to_compile_error()
                }
                None => error.to_compile_error(),
            })
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

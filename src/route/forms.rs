//! Links and forms to sign in and out, as HTML.

use super::ReturnTo;
use super::answers::RETURN_TO;
use crate::session::CsrfToken;

/// Renders a link to the sign-in page, with the return URL.
///
/// ```
/// use clearance::route::{ReturnTo, sign_in_link};
///
/// let back = ReturnTo::parse("/reports?year=2026").unwrap();
/// let link = sign_in_link("/sign-in", &back, "Sign in");
/// assert!(link.starts_with(r#"<a href="/sign-in?return_to=%2Freports"#));
/// assert!(link.ends_with(r#"">Sign in</a>"#));
/// ```
#[must_use]
pub fn sign_in_link(page: &str, back: &ReturnTo, text: &str) -> String {
    let url = escaped(&back.sign_in_url(page, RETURN_TO));
    format!(r#"<a href="{url}">{}</a>"#, escaped(text))
}

/// Renders a sign-out form: a button that sends a `POST` to `action`, which a link cannot. The token is for
/// [old browsers](super::Csrf).
///
/// ```
/// use clearance::route::sign_out_form;
///
/// assert_eq!(
///     sign_out_form("/sign-out", None, "Sign out"),
///     r#"<form method="post" action="/sign-out"><button>Sign out</button></form>"#,
/// );
/// ```
#[must_use]
pub fn sign_out_form(action: &str, token: Option<&CsrfToken>, text: &str) -> String {
    let field = token.map(CsrfToken::hidden_field).unwrap_or_default();
    let (action, text) = (escaped(action), escaped(text));
    format!(r#"<form method="post" action="{action}">{field}<button>{text}</button></form>"#)
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

//! Responses that gates give in a handler's place: redirects, statuses, and the application's own.

use std::sync::Arc;

use http::header::{CACHE_CONTROL, LOCATION, VARY};
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode};

use super::ReturnTo;
use crate::answer::problem;
use crate::error::{Error, Result};

/// The name of the query parameter that carries the return URL to the sign-in page.
pub(super) const RETURN_TO: &str = "return_to";

/// A page of the application, as a redirect target.
#[derive(Debug, Clone)]
pub(super) struct GatePage(String);

impl GatePage {
    /// Parses a path on the application's own origin, or a whole URL. Only the developer writes it, so it may
    /// be of another site.
    pub(super) fn new(url: &str) -> Result<Self> {
        let local = url.starts_with('/') && !url.starts_with("//");
        let whole = url.starts_with("https://") || url.starts_with("http://");
        // Browsers take a backslash for a slash.
        let odd = url.contains(['#', '\\']) || HeaderValue::from_str(url).is_err();
        if odd || !(local || whole) {
            return Err(Error::configuration(format!(
                "`{url}` is not a valid redirect target: write a path that begins with one `/`, or a URL"
            )));
        }
        Ok(Self(url.to_owned()))
    }

    /// Returns the path, where the page is on the application's own origin.
    #[cfg(feature = "gates")]
    pub(super) fn path(&self) -> Option<&str> {
        let path = self.0.split('?').next().unwrap_or_default();
        path.starts_with('/').then_some(path)
    }

    /// Redirects a browser to this page.
    pub(super) fn redirect(&self) -> Response<String> {
        see_other(&self.0)
    }

    /// Redirects a browser to this page, with a return URL. There is always one, so that the page can
    /// distinguish browsers that were redirected from those that came by themselves.
    pub(super) fn redirect_from(&self, head: &Parts) -> Response<String> {
        let back = head.method.is_safe().then(|| ReturnTo::of(&head.uri));
        let back = back.flatten().unwrap_or_else(ReturnTo::root);
        see_other(&back.sign_in_url(&self.0, RETURN_TO))
    }
}

fn see_other(url: &str) -> Response<String> {
    let Ok(location) = HeaderValue::from_str(url) else {
        return problem(StatusCode::FORBIDDEN, None, &[]);
    };
    let mut response = Response::new(String::new());
    *response.status_mut() = StatusCode::SEE_OTHER;
    response.headers_mut().insert(LOCATION, location);
    for_this_cookie(response)
}

/// Marks a response as private: a cache must not give it to a request with another cookie.
pub(super) fn for_this_cookie(mut response: Response<String>) -> Response<String> {
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    headers.insert(VARY, HeaderValue::from_static("Cookie"));
    response
}

/// The reason for which a gate refuses a request.
///
/// Exhaustive: an application with responses of its own must handle both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denied {
    /// Nobody is signed in.
    SignedOut,
    /// The viewer is signed in, and not allowed to do this.
    Forbidden,
}

pub(super) type OnDenied = Arc<dyn Fn(&Parts, Denied) -> Response<String> + Send + Sync>;

/// The configured responses to requests that a gate refuses.
#[derive(Clone, Default)]
pub(super) struct Denials {
    pub(super) sign_in: Option<String>,
    pub(super) denied_page: Option<String>,
    pub(super) on_denied: Option<OnDenied>,
}

impl Denials {
    pub(super) fn resolve(self) -> Result<GateAnswers> {
        let page = |url: Option<String>| url.map(|url| GatePage::new(&url)).transpose();
        Ok(GateAnswers {
            sign_in: page(self.sign_in)?,
            denied_page: page(self.denied_page)?,
            on_denied: self.on_denied,
        })
    }
}

/// The same, with the pages parsed.
pub(super) struct GateAnswers {
    pub(super) sign_in: Option<GatePage>,
    denied_page: Option<GatePage>,
    on_denied: Option<OnDenied>,
}

impl GateAnswers {
    /// Returns the application's own response, if one is configured.
    pub(super) fn own(&self, head: &Parts, why: Denied) -> Option<Response<String>> {
        let answer = self.on_denied.as_ref()?;
        Some(for_this_cookie(answer(head, why)))
    }

    /// Returns the redirect for this refusal, if a page is configured.
    pub(super) fn page(&self, head: &Parts, why: Denied) -> Option<Response<String>> {
        match why {
            Denied::SignedOut => self.sign_in.as_ref().map(|page| page.redirect_from(head)),
            Denied::Forbidden => self.denied_page.as_ref().map(GatePage::redirect),
        }
    }
}

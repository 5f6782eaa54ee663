//! Which requests a rule is about.

use std::fmt;
use std::future::Future;
use std::ops::Not;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::request::Parts;
use regex::{Regex, RegexBuilder};

use crate::error::{Error, Result};

/// Which requests a rule is about: by path, or by what a function says of the request's head.
///
/// Paths are compared as [`NormalPath`](super::NormalPath) reads them, so that another spelling of the
/// same path is the same path. They begin with `/`, and a `/` at their end says nothing.
///
/// # Example
///
/// ```
/// use clearance::route::Route;
///
/// let assets = Route::prefix("/assets")?.or(Route::exact("/favicon.ico")?);
/// let reports = Route::pattern(r"/reports/\d{4}(/.*)?")?;
/// let pages = !Route::prefix("/api")?;
/// let beta = Route::when(|head| head.headers.contains_key("x-beta"));
/// # let _ = (assets, reports, pages, beta);
/// # Ok::<(), clearance::Error>(())
/// ```
#[derive(Clone)]
pub struct Route(Kind);

#[derive(Clone)]
enum Kind {
    Exact(String),
    Prefix(String),
    Pattern(Regex),
    When(Arc<dyn Fn(&Parts) -> bool + Send + Sync>),
    WhenAsync(Arc<AsyncPredicate>),
    Not(Box<Route>),
    And(Box<Route>, Box<Route>),
    Or(Box<Route>, Box<Route>),
}

type AsyncPredicate = dyn Fn(&Parts) -> BoxFuture<'static, bool> + Send + Sync;

/// A function of the application panicked, so that nobody knows what it would have said.
pub(super) struct Panicked;

impl Route {
    /// This path alone.
    ///
    /// # Errors
    ///
    /// [`Error::is_configuration`] when it does not begin with `/`.
    pub fn exact(path: &str) -> Result<Self> {
        trimmed(path).map(Kind::Exact).map(Self)
    }

    /// This path, and those below it: `/admin` is not about `/administrators`.
    ///
    /// # Errors
    ///
    /// [`Error::is_configuration`] when it does not begin with `/`.
    pub fn prefix(path: &str) -> Result<Self> {
        trimmed(path).map(Kind::Prefix).map(Self)
    }

    /// The paths that this regular expression describes from their beginning to their end, in the syntax of
    /// [`regex`](https://docs.rs/regex). The time it takes grows with the path alone, whatever the expression.
    ///
    /// # Errors
    ///
    /// [`Error::is_configuration`] when it is none, or too large.
    pub fn pattern(expression: &str) -> Result<Self> {
        Regex::new(&format!(r"\A(?:{expression})\z"))
            .map(|regex| Self(Kind::Pattern(regex)))
            .map_err(|_| {
                Error::configuration(format!(
                    "the pattern `{expression}` of a route is no regular expression, or too large"
                ))
            })
    }

    /// Those that `predicate` picks. Where it panics, the request needs a session.
    #[must_use]
    pub fn when(predicate: impl Fn(&Parts) -> bool + Send + Sync + 'static) -> Self {
        Self(Kind::When(Arc::new(predicate)))
    }

    /// As [`Route::when`], for what has to be waited for.
    #[must_use]
    pub fn when_async<F>(predicate: impl Fn(&Parts) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = bool> + Send + 'static,
    {
        let predicate =
            move |head: &Parts| -> BoxFuture<'static, bool> { Box::pin(predicate(head)) };
        Self(Kind::WhenAsync(Arc::new(predicate)))
    }

    /// Those that both are about.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(Kind::And(Box::new(self), Box::new(other)))
    }

    /// Those that either is about.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self(Kind::Or(Box::new(self), Box::new(other)))
    }

    /// The same, whatever the case of the letters `a` to `z`.
    pub(super) fn ignoring_case(self) -> Result<Self> {
        let boxed = |route: Box<Self>| route.ignoring_case().map(Box::new);
        Ok(Self(match self.0 {
            Kind::Exact(path) => Kind::Exact(path.to_ascii_lowercase()),
            Kind::Prefix(path) => Kind::Prefix(path.to_ascii_lowercase()),
            Kind::Pattern(regex) => {
                let built = RegexBuilder::new(regex.as_str())
                    .case_insensitive(true)
                    .build();
                let too_large = |_| {
                    Error::configuration("the pattern of a route is too large without its case")
                };
                Kind::Pattern(built.map_err(too_large)?)
            }
            kind @ (Kind::When(_) | Kind::WhenAsync(_)) => kind,
            Kind::Not(route) => Kind::Not(boxed(route)?),
            Kind::And(one, other) => Kind::And(boxed(one)?, boxed(other)?),
            Kind::Or(one, other) => Kind::Or(boxed(one)?, boxed(other)?),
        }))
    }

    /// Whether it is about a request with this head, whose path reads `path`.
    pub(super) async fn is_about(&self, path: &str, head: &Parts) -> Result<bool, Panicked> {
        let path = trim_end(path);
        match &self.0 {
            Kind::Exact(exact) => Ok(path == exact),
            Kind::Prefix(prefix) => Ok(path
                .strip_prefix(prefix.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || prefix == "/")),
            Kind::Pattern(regex) => Ok(regex.is_match(path)),
            Kind::When(predicate) => {
                catch_unwind(AssertUnwindSafe(|| predicate(head))).map_err(|_| Panicked)
            }
            Kind::WhenAsync(predicate) => {
                let asked = catch_unwind(AssertUnwindSafe(|| predicate(head)));
                let asked = AssertUnwindSafe(asked.map_err(|_| Panicked)?);
                asked.catch_unwind().await.map_err(|_| Panicked)
            }
            Kind::Not(route) => Ok(!Box::pin(route.is_about(path, head)).await?),
            Kind::And(one, other) => Ok(Box::pin(one.is_about(path, head)).await?
                && Box::pin(other.is_about(path, head)).await?),
            Kind::Or(one, other) => Ok(Box::pin(one.is_about(path, head)).await?
                || Box::pin(other.is_about(path, head)).await?),
        }
    }
}

impl Not for Route {
    type Output = Self;

    /// Those that it is not about.
    fn not(self) -> Self {
        Self(Kind::Not(Box::new(self)))
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Exact(path) => f.debug_tuple("Exact").field(path).finish(),
            Kind::Prefix(path) => f.debug_tuple("Prefix").field(path).finish(),
            Kind::Pattern(regex) => f.debug_tuple("Pattern").field(&regex.as_str()).finish(),
            Kind::When(_) | Kind::WhenAsync(_) => f.write_str("When(..)"),
            Kind::Not(route) => f.debug_tuple("Not").field(route).finish(),
            Kind::And(one, other) => f.debug_tuple("And").field(one).field(other).finish(),
            Kind::Or(one, other) => f.debug_tuple("Or").field(one).field(other).finish(),
        }
    }
}

fn trimmed(path: &str) -> Result<String> {
    if !path.starts_with('/') {
        return Err(Error::configuration(format!(
            "the path `{path}` of a route does not begin with `/`"
        )));
    }
    Ok(trim_end(path).to_owned())
}

/// Without the `/` at its end, which routers take or leave.
fn trim_end(path: &str) -> &str {
    match path.strip_suffix('/') {
        Some("") | None => path,
        Some(shorter) => shorter,
    }
}

//! The predicates over a request's path and head that select the routes of a rule.

use std::fmt;
use std::future::Future;
use std::ops::Not;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::request::Parts;
use regex::{Regex, RegexBuilder};

use crate::bounded::{Bounded, Tree};
use crate::error::{Error, Result};
use crate::limits::{CONDITION_DEPTH, CONDITIONS};

/// A predicate that selects the requests of a rule: by path, or by a function of the request's head. Compiled
/// with the feature `gates` only.
///
/// Paths are compared as [`NormalPath`](super::NormalPath) reads them, so that all spellings of a path are
/// equal. They begin with `/`, and a trailing `/` is ignored.
///
/// A route is composed of at most [`CONDITIONS`] others, nested [`CONDITION_DEPTH`] deep. Rules with a larger
/// one [cannot be built](crate::Error::is_configuration).
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
pub struct Route(Bounded<Kind>);

#[derive(Clone)]
enum Kind {
    Exact(String),
    Prefix(String),
    Pattern(Regex),
    When(Arc<dyn Fn(&Parts) -> bool + Send + Sync>),
    WhenAsync(Arc<AsyncPredicate>),
}

type AsyncPredicate = dyn Fn(&Parts) -> BoxFuture<'static, bool> + Send + Sync;

/// The error of a predicate that panicked, so that its result is unknown.
pub(super) struct Panicked;

impl Route {
    /// Selects this path alone.
    ///
    /// # Errors
    ///
    /// [`Error::is_configuration`] when it does not begin with `/`.
    pub fn exact(path: &str) -> Result<Self> {
        trimmed(path).map(Kind::Exact).map(Self::plain)
    }

    /// Selects this path, and those below it: `/admin` does not select `/administrators`.
    ///
    /// # Errors
    ///
    /// [`Error::is_configuration`] when it does not begin with `/`.
    pub fn prefix(path: &str) -> Result<Self> {
        trimmed(path).map(Kind::Prefix).map(Self::plain)
    }

    /// Selects the paths that this regular expression matches as a whole, in the syntax of
    /// [`regex`](https://docs.rs/regex). Matching takes time linear in the path, whatever the expression.
    ///
    /// # Errors
    ///
    /// [`Error::is_configuration`] when it is not a regular expression, or too large.
    pub fn pattern(expression: &str) -> Result<Self> {
        Regex::new(&format!(r"\A(?:{expression})\z"))
            .map(|regex| Self::plain(Kind::Pattern(regex)))
            .map_err(|_| {
                Error::configuration(format!(
                    "the pattern `{expression}` of a route is not a valid regular expression, or is too large"
                ))
            })
    }

    /// Selects the requests for which `predicate` is true. Where it panics, the request requires a session.
    #[must_use]
    pub fn when(predicate: impl Fn(&Parts) -> bool + Send + Sync + 'static) -> Self {
        Self::plain(Kind::When(Arc::new(predicate)))
    }

    /// Selects requests by an async predicate; otherwise as [`Route::when`].
    #[must_use]
    pub fn when_async<F>(predicate: impl Fn(&Parts) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = bool> + Send + 'static,
    {
        let predicate =
            move |head: &Parts| -> BoxFuture<'static, bool> { Box::pin(predicate(head)) };
        Self::plain(Kind::WhenAsync(Arc::new(predicate)))
    }

    /// Selects the requests that both select.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0.and(other.0))
    }

    /// Selects the requests that either selects.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self(self.0.or(other.0))
    }

    /// Checks the route's size and depth, and makes it ignore the case of the letters `a` to `z` if
    /// `ignores_case` is set.
    pub(super) fn ready(self, ignores_case: bool) -> Result<Self> {
        let ready = self.0.try_map(|kind| match ignores_case {
            true => kind.ignoring_case(),
            false => Ok(kind),
        })?;
        ready.map(Self).ok_or_else(|| {
            Error::configuration(format!(
                "a route combines more than {CONDITIONS} others, or nests them more than {CONDITION_DEPTH} deep: write a pattern"
            ))
        })
    }

    /// Returns whether it selects a request with this head, whose path reads `path`.
    pub(super) async fn is_about(&self, path: &str, head: &Parts) -> Result<bool, Panicked> {
        match self.0.get() {
            Some(kind) => kind.is_about(trim_end(path), head).await,
            None => Err(Panicked),
        }
    }

    const fn plain(kind: Kind) -> Self {
        Self(Bounded::plain(kind))
    }
}

impl Kind {
    fn ignoring_case(self) -> Result<Self> {
        Ok(match self {
            Self::Exact(path) => Self::Exact(path.to_ascii_lowercase()),
            Self::Prefix(path) => Self::Prefix(path.to_ascii_lowercase()),
            Self::Pattern(regex) => {
                let built = RegexBuilder::new(regex.as_str())
                    .case_insensitive(true)
                    .build();
                let too_large = |_| {
                    Error::configuration("the pattern of a route is too large when case is ignored")
                };
                Self::Pattern(built.map_err(too_large)?)
            }
            kind @ (Self::When(_) | Self::WhenAsync(_)) => kind,
        })
    }

    async fn is_about(&self, path: &str, head: &Parts) -> Result<bool, Panicked> {
        match self {
            Self::Exact(exact) => Ok(path == exact),
            Self::Prefix(prefix) => Ok(path
                .strip_prefix(prefix.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || prefix == "/")),
            Self::Pattern(regex) => Ok(regex.is_match(path)),
            Self::When(predicate) => {
                catch_unwind(AssertUnwindSafe(|| predicate(head))).map_err(|_| Panicked)
            }
            Self::WhenAsync(predicate) => {
                let asked = catch_unwind(AssertUnwindSafe(|| predicate(head)));
                let asked = AssertUnwindSafe(asked.map_err(|_| Panicked)?);
                asked.catch_unwind().await.map_err(|_| Panicked)
            }
        }
    }
}

impl Tree<Kind> {
    async fn is_about(&self, path: &str, head: &Parts) -> Result<bool, Panicked> {
        match self {
            Self::Plain(kind) => kind.is_about(path, head).await,
            Self::Not(inner) => Ok(!Box::pin(inner.is_about(path, head)).await?),
            Self::All(parts) => {
                for part in parts {
                    if !Box::pin(part.is_about(path, head)).await? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Self::Any(parts) => {
                for part in parts {
                    if Box::pin(part.is_about(path, head)).await? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
        }
    }
}

impl Not for Route {
    type Output = Self;

    /// Selects the requests that it did not select.
    fn not(self) -> Self {
        Self(self.0.opposite())
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.get() {
            Some(kind) => kind.fmt(f),
            None => f.write_str("Route(..)"),
        }
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(path) => f.debug_tuple("Exact").field(path).finish(),
            Self::Prefix(path) => f.debug_tuple("Prefix").field(path).finish(),
            Self::Pattern(regex) => f.debug_tuple("Pattern").field(&regex.as_str()).finish(),
            Self::When(_) | Self::WhenAsync(_) => f.write_str("When(..)"),
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

/// Removes the trailing `/`, which routers take or leave.
fn trim_end(path: &str) -> &str {
    match path.strip_suffix('/') {
        Some("") | None => path,
        Some(shorter) => shorter,
    }
}

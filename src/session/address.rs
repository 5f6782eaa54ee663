//! The address (origin) at which browsers reach the application.

use url::{Origin, Url};

use super::cookie::covers;
use crate::error::{Error, Result};

/// The origin of the application, and the domain over which its cookie is shared.
#[derive(Debug)]
pub(crate) struct Address {
    origin: Origin,
    scheme: String,
    /// The domain whose hosts all get the session cookie.
    domain: Option<String>,
}

impl Address {
    pub(super) fn new(app_url: &str, domain: Option<&str>) -> Result<Self> {
        let url = Url::parse(app_url)
            .ok()
            .filter(|url| url.origin().is_tuple())
            .ok_or_else(|| {
                Error::configuration(
                    "the application's URL is its scheme, host and port, for instance `https://app.example`",
                )
            })?;
        Ok(Self {
            origin: url.origin(),
            scheme: url.scheme().to_owned(),
            domain: domain.map(str::to_owned),
        })
    }

    /// Returns whether `origin` is the application's own: scheme, host and port.
    pub(crate) fn is(&self, origin: &Url) -> bool {
        origin.origin() == self.origin
    }

    /// Returns whether browsers send the session cookie to the host of `origin`, because the cookie has a
    /// domain that covers it, over the application's scheme.
    pub(crate) fn shares_cookie(&self, origin: &Url) -> bool {
        let host = origin.host_str();
        let domain = self.domain.as_deref().zip(host);
        origin.scheme() == self.scheme && domain.is_some_and(|(domain, host)| covers(domain, host))
    }
}

//! The address at which browsers reach the application.

use url::{Origin, Url};

use super::cookie::covers;
use crate::error::{Error, Result};

/// The origin of the application, and who shares its cookie.
#[derive(Debug)]
pub(crate) struct Address {
    origin: Origin,
    scheme: String,
    /// The domain below which every host has the session cookie.
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

    /// Returns whether `origin` is that of the application's own address: scheme, host and port.
    pub(crate) fn is(&self, origin: &Url) -> bool {
        origin.origin() == self.origin
    }

    /// Returns whether browsers send the session cookie to the host of `origin`, because the application gave it
    /// a domain, over the scheme of the application.
    pub(crate) fn shares_cookie(&self, origin: &Url) -> bool {
        let host = origin.host_str();
        let domain = self.domain.as_deref().zip(host);
        origin.scheme() == self.scheme && domain.is_some_and(|(domain, host)| covers(domain, host))
    }
}

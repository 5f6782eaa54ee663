//! The session layer's settings and its making of request contexts, for every framework.

use std::fmt;
use std::net::IpAddr;

use http::{Extensions, HeaderMap, HeaderName, Method};

use crate::request::RequestContext;
#[cfg(feature = "gates")]
use crate::route::TrustedProxies;
use crate::session::Sessions;
use crate::viewer::Viewer;

type Address = fn(&Extensions) -> Option<IpAddr>;

/// A middleware that gives each request its [`RequestContext`].
///
/// The handler runs in its scope, and so does every poll of the response's body, so that a streamed response
/// keeps its own viewer. The layer refuses no request: authorization is decided at the data.
///
/// A response that sets the session cookie or depends on it is marked `private, no-store`. That
/// includes every body of unknown length, because it may still ask for the viewer: leave files
/// that caches should keep outside of this layer.
///
/// # Example
///
/// ```
/// use axum::{Router, routing::get};
/// use clearance::{SessionLayer, Verified};
///
/// # use clearance::{Sessions, Subject, Viewer};
/// # struct Member { name: String }
/// # impl Viewer for Member {
/// #     fn subject(&self) -> Subject { Subject::new(&self.name) }
/// # }
/// async fn hello(member: Verified<Member>) -> String {
///     format!("Hello {}", member.viewer().name)
/// }
///
/// fn app(sessions: Sessions<Member>) -> Router {
///     Router::new()
///         .route("/", get(hello))
///         .layer(SessionLayer::new(sessions))
/// }
/// ```
pub struct SessionLayer<V> {
    sessions: Sessions<V>,
    address: Option<Address>,
    #[cfg(feature = "gates")]
    proxies: TrustedProxies,
    request_id: Option<HeaderName>,
}

impl<V: Viewer> SessionLayer<V> {
    /// Builds a layer over `sessions`.
    #[must_use]
    pub fn new(sessions: Sessions<V>) -> Self {
        Self {
            sessions,
            address: None,
            #[cfg(feature = "gates")]
            proxies: TrustedProxies::default(),
            request_id: None,
        }
    }

    /// Sets the function that finds the peer address of the connection among a request's extensions, for the
    /// frameworks of tower, which leave that to the server; without it rules see no address. The other
    /// frameworks know it. With axum:
    ///
    /// ```
    /// # use std::net::SocketAddr;
    /// # use axum::extract::ConnectInfo;
    /// # use clearance::{SessionLayer, Sessions, Viewer};
    /// # fn layer<V: Viewer>(sessions: Sessions<V>) -> SessionLayer<V> {
    /// SessionLayer::new(sessions).address(|extensions| {
    ///     let peer = extensions.get::<ConnectInfo<SocketAddr>>()?;
    ///     Some(peer.0.ip())
    /// })
    /// # }
    /// ```
    #[must_use]
    pub const fn address(mut self, address: fn(&Extensions) -> Option<IpAddr>) -> Self {
        self.address = Some(address);
        self
    }

    /// Takes the client's address from `X-Forwarded-For`, where the connection comes from one of these
    /// proxies; see [`TrustedProxies`]. Without it the address is that of the connection, whatever the
    /// headers say. Compiled with the feature `gates` only.
    #[cfg(feature = "gates")]
    #[must_use]
    pub fn trusted_proxies(mut self, proxies: TrustedProxies) -> Self {
        self.proxies = proxies;
        self
    }

    /// Takes the request's id from this header, such as `x-request-id`, which a proxy or the
    /// `SetRequestIdLayer` of tower-http around this layer writes. Without it, and where the header
    /// holds no valid one, the id is random; see
    /// [`RequestContext::with_request_id`](crate::RequestContext::with_request_id).
    ///
    /// Name only a header that the proxy overwrites: otherwise clients choose the ids of their requests in
    /// the audit trail.
    ///
    /// ```
    /// # use clearance::{SessionLayer, Sessions, Viewer};
    /// # use http::HeaderName;
    /// # fn layer<V: Viewer>(sessions: Sessions<V>) -> SessionLayer<V> {
    /// SessionLayer::new(sessions).request_id(HeaderName::from_static("x-request-id"))
    /// # }
    /// ```
    #[must_use]
    pub fn request_id(mut self, header: HeaderName) -> Self {
        self.request_id = Some(header);
        self
    }

    /// Builds the context of a request on a connection from `peer`, applying trusted proxies and the request
    /// id.
    pub(super) fn context(
        &self,
        method: &Method,
        headers: &HeaderMap,
        peer: Option<IpAddr>,
    ) -> RequestContext {
        #[cfg(feature = "gates")]
        let peer = peer.map(|peer| self.proxies.client(peer, headers));
        let context = RequestContext::received(&self.sessions, method, headers, peer);
        let id = self.request_id.as_ref();
        if let Some(id) = id.and_then(|header| headers.get(header)) {
            context.take_id(id.as_bytes());
        }
        context
    }

    /// Returns the peer address that the server stored in the extensions, if a function for it is set.
    #[cfg(feature = "tower")]
    pub(super) fn peer(&self, extensions: &Extensions) -> Option<IpAddr> {
        self.address.and_then(|address| address(extensions))
    }
}

impl<V> Clone for SessionLayer<V> {
    fn clone(&self) -> Self {
        Self {
            sessions: self.sessions.clone(),
            address: self.address,
            #[cfg(feature = "gates")]
            proxies: self.proxies.clone(),
            request_id: self.request_id.clone(),
        }
    }
}

impl<V> fmt::Debug for SessionLayer<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionLayer").finish_non_exhaustive()
    }
}

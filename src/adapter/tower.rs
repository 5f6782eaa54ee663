//! The tower layer: one request context for each request, around its handler and its body.

use std::fmt;
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Extensions, HeaderName, Request, Response};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::task::futures::TaskLocalFuture;
use tower_layer::Layer;
use tower_service::Service;

use crate::request::RequestContext;
use crate::session::Sessions;
use crate::viewer::Viewer;

type Address = fn(&Extensions) -> Option<IpAddr>;

/// Gives each request its [`RequestContext`].
///
/// The handler runs in its scope, and so does every poll of the response's body, so that
/// a streamed response keeps its own viewer. The layer refuses nobody: what a request may do is
/// decided where the data is.
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
    request_id: Option<HeaderName>,
}

impl<V: Viewer> SessionLayer<V> {
    /// A layer over `sessions`. Rules see no address.
    #[must_use]
    pub const fn new(sessions: Sessions<V>) -> Self {
        Self {
            sessions,
            address: None,
            request_id: None,
        }
    }

    /// Says where the peer's address is among a request's extensions. With axum:
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

    /// Takes the request's id from this header, such as `x-request-id`, which a proxy or the
    /// `SetRequestIdLayer` of tower-http around this layer writes. Without it, and where the header
    /// holds no valid one, the id is random; see
    /// [`RequestContext::with_request_id`](crate::RequestContext::with_request_id).
    ///
    /// Name a header only that the proxy overwrites: else clients choose what their requests are
    /// called in the audit trail.
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
}

impl<V> Clone for SessionLayer<V> {
    fn clone(&self) -> Self {
        Self {
            sessions: self.sessions.clone(),
            address: self.address,
            request_id: self.request_id.clone(),
        }
    }
}

impl<V> fmt::Debug for SessionLayer<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionLayer").finish_non_exhaustive()
    }
}

impl<V: Viewer, S> Layer<S> for SessionLayer<V> {
    type Service = SessionService<V, S>;

    fn layer(&self, inner: S) -> Self::Service {
        SessionService {
            inner,
            layer: self.clone(),
        }
    }
}

/// The service that [`SessionLayer`] makes.
pub struct SessionService<V, S> {
    inner: S,
    layer: SessionLayer<V>,
}

impl<V, S: Clone> Clone for SessionService<V, S> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            layer: self.layer.clone(),
        }
    }
}

impl<V, S> fmt::Debug for SessionService<V, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionService").finish_non_exhaustive()
    }
}

impl<V, S, A, B> Service<Request<A>> for SessionService<V, S>
where
    V: Viewer,
    S: Service<Request<A>, Response = Response<B>>,
    B: Body,
{
    type Response = Response<ScopedBody<B>>;
    type Error = S::Error;
    type Future = ScopedFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        let address = self
            .layer
            .address
            .and_then(|address| address(request.extensions()));
        let context = RequestContext::begin(&self.layer.sessions, request.headers(), address);
        let id = self.layer.request_id.as_ref();
        if let Some(id) = id.and_then(|header| request.headers().get(header)) {
            context.take_id(id.as_bytes());
        }
        let response = context.sync_scope(|| self.inner.call(request));
        ScopedFuture {
            response: context.bind(response),
            context,
        }
    }
}

pin_project! {
    /// The response of a request in its scope.
    pub struct ScopedFuture<F> {
        #[pin]
        response: TaskLocalFuture<Option<RequestContext>, F>,
        context: RequestContext,
    }
}

impl<F> fmt::Debug for ScopedFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopedFuture").finish_non_exhaustive()
    }
}

impl<F, B, E> Future for ScopedFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body,
{
    type Output = Result<Response<ScopedBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = match ready!(this.response.poll(cx)) {
            Ok(response) => response,
            Err(error) => return Poll::Ready(Err(error)),
        };
        let body = response.body();
        let reads_later = !body.is_end_stream() && body.size_hint().exact().is_none();
        this.context
            .write_headers(response.headers_mut(), reads_later);
        Poll::Ready(Ok(response.map(|body| ScopedBody {
            body,
            context: this.context.clone(),
        })))
    }
}

pin_project! {
    /// A response's body, every part of which is made in its request's scope.
    pub struct ScopedBody<B> {
        #[pin]
        body: B,
        context: RequestContext,
    }
}

impl<B> fmt::Debug for ScopedBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopedBody").finish_non_exhaustive()
    }
}

impl<B: Body> Body for ScopedBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let this = self.project();
        this.context.sync_scope(|| this.body.poll_frame(cx))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(all(test, feature = "testing"))]
mod tests {
    use std::convert::Infallible;

    use tower::ServiceExt as _;

    use super::*;
    use crate::session::{Key, MemorySessionStore};
    use crate::viewer::{SourceError, Subject, ViewerSource};

    struct Member;

    impl Viewer for Member {
        fn subject(&self) -> Subject {
            Subject::new(1)
        }
    }

    struct Members;

    #[crate::async_trait]
    impl ViewerSource<Member> for Members {
        async fn load(&self, _: &Subject) -> Result<Option<Member>, SourceError> {
            Ok(None)
        }
    }

    #[tokio::test]
    async fn rules_see_the_address_that_the_layer_was_told_of() {
        let key = Key::generate().unwrap();
        let sessions = Sessions::builder(key, MemorySessionStore::new(), Members)
            .app_url("https://app.example")
            .build()
            .unwrap();
        let plain = SessionLayer::new(sessions);
        let told = plain
            .clone()
            .address(|extensions| extensions.get::<IpAddr>().copied());
        let peer: IpAddr = "2001:db8::1".parse().unwrap();
        for (layer, expected) in [(plain, None), (told, Some(peer))] {
            let service = layer.layer(tower::service_fn(move |_: Request<()>| async move {
                let context = RequestContext::current().unwrap();
                assert_eq!(context.rule_context().address, expected);
                Ok::<_, Infallible>(Response::new(axum_core::body::Body::empty()))
            }));
            let mut request = Request::new(());
            request.extensions_mut().insert(peer);
            service.oneshot(request).await.unwrap();
        }
    }
}

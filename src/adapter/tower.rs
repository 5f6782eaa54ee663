//! The tower layers: one request context for each request, around its handler and its body, and
//! gates before handlers.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::SessionLayer;
use crate::request::{RequestContext, Scoped};
use crate::viewer::Viewer;

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
        let peer = self.layer.peer(request.extensions());
        let context = self
            .layer
            .context(request.method(), request.headers(), peer);
        let response = context.sync_scope(|| self.inner.call(request));
        ScopedFuture {
            response: context.bind(response),
        }
    }
}

pin_project! {
    /// The response of a request in its scope.
    pub struct ScopedFuture<F> {
        #[pin]
        response: Scoped<F>,
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
        let mut this = self.project();
        let mut response = match ready!(this.response.as_mut().poll(cx)) {
            Ok(response) => response,
            Err(error) => return Poll::Ready(Err(error)),
        };
        let Some(context) = this.response.into_context() else {
            // Only who polls it again after the end comes here.
            return Poll::Pending;
        };
        let body = response.body();
        let reads_later = !body.is_end_stream() && body.size_hint().exact().is_none();
        context.write_headers(response.headers_mut(), reads_later);
        Poll::Ready(Ok(response.map(|body| ScopedBody { body, context })))
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
        this.context.renew();
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
    use std::net::IpAddr;

    use tower::ServiceExt as _;

    use super::*;
    use crate::session::{Key, MemorySessionStore, Sessions};
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

//! The tower layer: one request context for each request, around its handler and its body.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::{ScopedBody, SessionLayer};
use crate::request::RequestScope;
use crate::scope::Scoped;
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

/// The service that [`SessionLayer`] wraps around another one.
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
    A: 'static,
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
        #[cfg(feature = "tonic")]
        if super::tonic::is_no_call::<A>(request.headers()) {
            context.doubt();
        }
        ScopedFuture {
            response: context.call(|| self.inner.call(request)),
        }
    }
}

pin_project! {
    /// The future of a response, polled in its request's scope.
    pub struct ScopedFuture<F> {
        #[pin]
        response: Scoped<RequestScope, F>,
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
        let response = match ready!(this.response.as_mut().poll(cx)) {
            Ok(response) => response,
            Err(error) => return Poll::Ready(Err(error)),
        };
        let Some(context) = this.response.scope().take() else {
            // Reached only by a poll after completion.
            return Poll::Pending;
        };
        let (mut head, body) = response.into_parts();
        let body = ScopedBody::finish(context, &mut head.headers, body);
        Poll::Ready(Ok(Response::from_parts(head, body)))
    }
}

#[cfg(all(test, feature = "testing"))]
mod tests {
    use std::convert::Infallible;
    use std::net::IpAddr;

    use tower::ServiceExt as _;

    use super::*;
    use crate::request::RequestContext;
    use crate::session::viewer_source::{SourceError, ViewerSource};
    use crate::session::{Key, MemorySessionStore, Sessions};
    use crate::viewer::Subject;

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
                Ok::<_, Infallible>(Response::new(axum::body::Body::empty()))
            }));
            let mut request = Request::new(());
            request.extensions_mut().insert(peer);
            service.oneshot(request).await.unwrap();
        }
    }
}

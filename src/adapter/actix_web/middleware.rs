//! The session layer and gates as actix-web middleware.

use std::fmt;
use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use actix_web::body::{BodySize, EitherBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform};
use actix_web::web::Bytes;
use futures_util::future::{Either, LocalBoxFuture};
use pin_project_lite::pin_project;

use super::convert::{edit, head, headers, method};
use super::response;
use crate::adapter::{SessionLayer, resume};
use crate::request::{RequestContext, RequestScope};
use crate::route::Gate;
use crate::scope::Scoped;
use crate::viewer::Viewer;

impl<V, S, B> Transform<S, ServiceRequest> for SessionLayer<V>
where
    V: Viewer,
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error>,
    B: MessageBody,
{
    type Response = ServiceResponse<ScopedBody<B>>;
    type Error = actix_web::Error;
    type Transform = SessionService<V, S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, inner: S) -> Self::Future {
        ready(Ok(SessionService {
            inner,
            layer: self.clone(),
        }))
    }
}

/// The service that [`SessionLayer`] wraps around another one.
pub struct SessionService<V, S> {
    inner: S,
    layer: SessionLayer<V>,
}

impl<V, S> fmt::Debug for SessionService<V, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionService").finish_non_exhaustive()
    }
}

impl<V, S, B> Service<ServiceRequest> for SessionService<V, S>
where
    V: Viewer,
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error>,
    B: MessageBody,
{
    type Response = ServiceResponse<ScopedBody<B>>;
    type Error = actix_web::Error;
    type Future = Either<ScopedFuture<S::Future>, Ready<Result<Self::Response, Self::Error>>>;

    fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let head = method(&request).and_then(|method| Ok((method, headers(&request)?)));
        let (method, headers) = match head {
            Ok(head) => head,
            Err(error) => return Either::Right(ready(Err(error.into()))),
        };
        // `connection_info` is not used: it trusts headers.
        let peer = request.peer_addr().map(|peer| peer.ip());
        let context = self.layer.context(&method, &headers, peer);
        Either::Left(ScopedFuture {
            response: context.call(|| self.inner.call(request)),
        })
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

impl<F, B> Future for ScopedFuture<F>
where
    F: Future<Output = Result<ServiceResponse<B>, actix_web::Error>>,
    B: MessageBody,
{
    type Output = Result<ServiceResponse<ScopedBody<B>>, actix_web::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let outcome = ready!(this.response.as_mut().poll(cx));
        let Some(context) = this.response.scope().take() else {
            // Reached only by a poll after completion.
            return Poll::Pending;
        };
        Poll::Ready(match outcome {
            Ok(mut response) => {
                let reads_later = response.response().body().size() == BodySize::Stream;
                edit(response.headers_mut(), |headers| {
                    context.write_headers(headers, reads_later);
                });
                Ok(response.map_body(|_, body| ScopedBody { body, context }))
            }
            // The error is of a middleware inside, or of a service that is no handler.
            Err(mut error) => {
                error.add_response_mapper(move |mut response| {
                    let reads_later = response.body().size() == BodySize::Stream;
                    edit(response.headers_mut(), |headers| {
                        context.write_headers(headers, reads_later);
                    });
                    let context = context.clone();
                    response.map_body(|_, body| ScopedBody { body, context }.boxed())
                });
                Err(error)
            }
        })
    }
}

pin_project! {
    /// A response body, each part of which is polled in its request's scope.
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

impl<B: MessageBody> MessageBody for ScopedBody<B> {
    type Error = B::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, B::Error>>> {
        let this = self.project();
        resume(this.context, || this.body.poll_next(cx))
    }

    fn try_into_bytes(self) -> Result<Bytes, Self> {
        let Self { body, context } = self;
        let bytes = context.sync_scope(|| body.try_into_bytes());
        bytes.map_err(|body| Self { body, context })
    }
}

impl<S, B> Transform<S, ServiceRequest> for Gate
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error> + 'static,
    B: MessageBody,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = actix_web::Error;
    type Transform = GateService<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, inner: S) -> Self::Future {
        ready(Ok(GateService {
            inner: Rc::new(inner),
            gate: self.clone(),
        }))
    }
}

/// The service that a [`Gate`] wraps around another one.
pub struct GateService<S> {
    inner: Rc<S>,
    gate: Gate,
}

impl<S> fmt::Debug for GateService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GateService").finish_non_exhaustive()
    }
}

impl<S, B> Service<ServiceRequest> for GateService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error> + 'static,
    B: MessageBody,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = actix_web::Error;
    type Future = LocalBoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let (inner, gate) = (Rc::clone(&self.inner), self.gate.clone());
        Box::pin(async move {
            let answer = match head(&request) {
                Ok(head) => gate.check(&head).await,
                Err(error) => Err(error.to_response()),
            };
            let outcome = match answer {
                Ok(()) => inner
                    .call(request)
                    .await
                    .map(|response| response.map_into_left_body()),
                Err(answer) => Ok(request
                    .into_response(response(answer))
                    .map_into_right_body()),
            };
            match outcome {
                Ok(mut response) => {
                    edit(response.headers_mut(), |headers| gate.finish(headers));
                    Ok(response)
                }
                Err(mut error) => {
                    error.add_response_mapper(move |mut response| {
                        edit(response.headers_mut(), |headers| gate.finish(headers));
                        response
                    });
                    Err(error)
                }
            }
        })
    }
}

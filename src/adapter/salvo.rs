//! Handlers, extractors and responses for salvo.
//!
//! [`SessionLayer`] and every [`Gate`] is a hoop, the first one outermost. Inside, handlers take
//! [`Verified`], [`Optional`], [`Current`], [`RequestContext`] and [`Untrusted`], or the context from their
//! [`Depot`], and return [`Result`](crate::Result).

use std::fmt::Debug;

use async_trait::async_trait;
use futures_util::TryStreamExt as _;
use http::header::CONTENT_TYPE;
use http_body_util::{BodyExt as _, BodyStream};
use salvo_core::extract::{Extractible, Metadata};
use salvo_core::http::body::{Body as _, BytesFrame, ResBody};
use salvo_core::http::{Request, Response};
use salvo_core::{Depot, FlowCtrl, Handler, Scribe, Writer};

use super::body::ScopedBody;
use super::{Optional, SessionLayer, head};
use crate::error::Error;
use crate::repository::Untrusted;
use crate::request::{RequestContext, verify_session};
use crate::route::Gate;
use crate::session::{Current, Verified};
use crate::viewer::Viewer;

/// Runs the rest of the chain in the request's context, which is in the [`Depot`] too:
/// `depot.get_typed::<RequestContext>()`.
#[async_trait]
impl<V: Viewer> Handler for SessionLayer<V> {
    async fn handle(
        &self,
        request: &mut Request,
        depot: &mut Depot,
        response: &mut Response,
        flow: &mut FlowCtrl,
    ) {
        let peer = request.remote_addr().ip();
        let context = self.context(request.method(), request.headers(), peer);
        depot.insert_typed(context.clone());
        let rest = flow.call_next(request, depot, response);
        context.scope(rest).await;
        match response.take_body() {
            // The body is complete, or salvo's catcher writes it.
            body if body.size().is_some() || body.is_error() => {
                context.finish(response.headers_mut());
                response.body(body);
            }
            body => {
                let body = ScopedBody::finish(context, response.headers_mut(), body);
                response.body(scoped(body));
            }
        }
    }
}

/// Wraps a scoped body: as a stream, which salvo's compression accepts, or, if its length is known, as a type
/// that keeps the length.
fn scoped(body: ScopedBody<ResBody>) -> ResBody {
    if body.size_hint().exact().is_some() {
        return ResBody::Boxed(Box::pin(body.map_err(Into::into)));
    }
    ResBody::stream(BodyStream::new(body).map_ok(BytesFrame))
}

/// Checks the request. Salvo's catcher leaves the response of a gate as it is.
#[async_trait]
impl Handler for Gate {
    async fn handle(
        &self,
        request: &mut Request,
        depot: &mut Depot,
        response: &mut Response,
        flow: &mut FlowCtrl,
    ) {
        let head = head(request.method(), request.uri(), request.headers());
        match self.check(&head).await {
            Ok(()) => {
                flow.call_next(request, depot, response).await;
            }
            Err(answer) => {
                flow.skip_rest();
                respond(answer, response);
            }
        }
        self.finish(response.headers_mut());
    }
}

/// Writes the response, in the place of what was written before. Its body is set even if it is empty: salvo's
/// catcher would write its own where there is none.
fn respond(answer: http::Response<String>, response: &mut Response) {
    let (head, text) = answer.into_parts();
    response.status_code(head.status);
    response.headers_mut().extend(head.headers);
    response.body(text);
}

/// Extracts the viewer of the request; without one the handler does not run.
impl<'ex, V: Viewer> Extractible<'ex> for Verified<V> {
    fn metadata() -> &'static Metadata {
        &NOTHING
    }

    async fn extract(
        _: &'ex mut Request,
        _: &'ex mut Depot,
    ) -> Result<Self, impl Writer + Send + Debug + 'static> {
        verify_session().await
    }
}

/// Extracts the viewer, or `None` when nobody is signed in.
impl<'ex, V: Viewer> Extractible<'ex> for Optional<V> {
    fn metadata() -> &'static Metadata {
        &NOTHING
    }

    async fn extract(
        _: &'ex mut Request,
        _: &'ex mut Depot,
    ) -> Result<Self, impl Writer + Send + Debug + 'static> {
        Self::find().await
    }
}

/// Extracts the viewer, read from the store before the handler runs.
impl<'ex, V: Viewer> Extractible<'ex> for Current<V> {
    fn metadata() -> &'static Metadata {
        &NOTHING
    }

    async fn extract(
        _: &'ex mut Request,
        _: &'ex mut Depot,
    ) -> Result<Self, impl Writer + Send + Debug + 'static> {
        RequestContext::current()?.verify_current().await
    }
}

/// Extracts the request context, to sign in or out.
impl<'ex> Extractible<'ex> for RequestContext {
    fn metadata() -> &'static Metadata {
        &NOTHING
    }

    async fn extract(
        _: &'ex mut Request,
        _: &'ex mut Depot,
    ) -> Result<Self, impl Writer + Send + Debug + 'static> {
        Self::current()
    }
}

/// Extracts the JSON body without parsing it. The handler runs whatever the body contains, so that a client
/// who may not send one does not learn what a valid one looks like. [Opening](Untrusted::open) a body whose
/// `Content-Type` is neither `application/json` nor a `+json` type fails with 415. salvo's `SecureMaxSize`
/// limits its size, by default to 64 KiB.
impl<'ex, T: Send> Extractible<'ex> for Untrusted<T> {
    fn metadata() -> &'static Metadata {
        &NOTHING
    }

    async fn extract(
        request: &'ex mut Request,
        _: &'ex mut Depot,
    ) -> Result<Self, impl Writer + Send + Debug + 'static> {
        let media_type = request.headers().get(CONTENT_TYPE).cloned();
        let body = request.payload().await;
        body.map(|body| Self::body(media_type.as_ref(), body.clone()))
    }
}

/// Empty metadata: salvo asks for it of extractors that are read field by field, which none of these is.
static NOTHING: Metadata = Metadata::new("");

/// Responds with [`Error::to_response`].
impl Scribe for Error {
    fn render(self, response: &mut Response) {
        respond(self.to_response(), response);
    }
}

//! Gates as tower layers.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderValue, Request, Response, Uri};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::route::Gate;

impl<S> Layer<S> for Gate {
    type Service = GateService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        GateService {
            inner,
            gate: self.clone(),
        }
    }
}

/// The service that a [`Gate`] wraps around another one.
#[derive(Clone)]
pub struct GateService<S> {
    inner: S,
    gate: Gate,
}

impl<S> fmt::Debug for GateService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GateService").finish_non_exhaustive()
    }
}

impl<S, A, B> Service<Request<A>> for GateService<S>
where
    S: Service<Request<A>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send,
    A: Send + 'static,
    B: Body<Data = Bytes> + Send,
{
    type Response = Response<GateBody<B>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        let unready = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, unready);
        let gate = self.gate.clone();
        Box::pin(async move {
            let (mut head, body) = request.into_parts();
            let media_type = head.headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
            let is_grpc = media_type.is_some_and(|value| value.starts_with(b"application/grpc"));
            let routed = sent(&head).map(|sent| std::mem::replace(&mut head.uri, sent));
            let checked = gate.check(&head).await;
            head.uri = routed.unwrap_or(head.uri);
            let mut response = match checked {
                Ok(()) => {
                    let request = Request::from_parts(head, body);
                    inner.call(request).await?.map(|body| GateBody {
                        inner: Some(body),
                        text: None,
                    })
                }
                Err(mut answer) => {
                    if is_grpc {
                        // gRPC clients derive a gRPC status from the HTTP status, but would read a body as
                        // one of their messages.
                        answer.headers_mut().remove(CONTENT_TYPE);
                        answer.body_mut().clear();
                    }
                    answer.map(|text| GateBody {
                        inner: None,
                        text: Some(text).filter(|text| !text.is_empty()).map(Bytes::from),
                    })
                }
            };
            gate.finish(response.headers_mut());
            Ok(response)
        })
    }
}

/// Returns the URI as the client sent it, where the router has cut something off: inside of axum's `nest`.
#[cfg(feature = "axum")]
fn sent(head: &Parts) -> Option<Uri> {
    let sent = head.extensions.get::<axum::extract::OriginalUri>();
    sent.map(|sent| sent.0.clone())
}

#[cfg(not(feature = "axum"))]
const fn sent(_: &Parts) -> Option<Uri> {
    None
}

pin_project! {
    /// A response body: the handler's, or that of a [`Gate`].
    pub struct GateBody<B> {
        // Absent where the gate responded.
        #[pin]
        inner: Option<B>,
        text: Option<Bytes>,
    }
}

impl<B> fmt::Debug for GateBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GateBody").finish_non_exhaustive()
    }
}

impl<B: Body<Data = Bytes>> Body for GateBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.project();
        match this.inner.as_pin_mut() {
            Some(body) => body.poll_frame(cx),
            None => Poll::Ready(this.text.take().map(Frame::data).map(Ok)),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.inner {
            Some(body) => body.is_end_stream(),
            None => self.text.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.inner {
            Some(body) => body.size_hint(),
            None => {
                let bytes = self.text.as_ref().map_or(0, Bytes::len);
                SizeHint::with_exact(u64::try_from(bytes).unwrap_or(u64::MAX))
            }
        }
    }
}

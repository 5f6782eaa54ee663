//! Response bodies polled in their request's scope, for frameworks built on `http_body`.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::request::RequestContext;

pin_project! {
    /// A response body, each frame of which is polled in its request's scope.
    pub struct ScopedBody<B> {
        #[pin]
        body: B,
        context: RequestContext,
    }
}

impl<B: Body> ScopedBody<B> {
    /// Writes the session's headers (cookies, caching) to the response, and wraps `body` in the request's
    /// scope.
    pub(super) fn finish(context: RequestContext, headers: &mut HeaderMap, body: B) -> Self {
        let reads_later = !body.is_end_stream() && body.size_hint().exact().is_none();
        context.write_headers(headers, reads_later);
        Self { body, context }
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
        super::resume(this.context, || this.body.poll_frame(cx))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

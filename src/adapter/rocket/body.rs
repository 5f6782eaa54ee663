//! Response bodies polled in their request's scope.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use rocket::Response;
use rocket::response::Body;
use rocket::tokio::io::{AsyncRead, AsyncSeek, ReadBuf};

use crate::adapter::resume;
use crate::request::RequestContext;

/// A response body, each part of which is read in its request's scope.
struct ScopedBody<'r> {
    body: Body<'r>,
    context: RequestContext,
}

/// Wraps the body of this response, if there is one, in the request's scope. A body with a known size keeps
/// it.
pub(super) fn scope(response: &mut Response<'_>, context: RequestContext) {
    if response.body().is_none() {
        return;
    }
    let body = response.body_mut().take();
    let (size, chunk) = (body.preset_size(), body.max_chunk_size());
    let body = ScopedBody { body, context };
    match size {
        Some(size) => response.set_sized_body(size, body),
        None => response.set_streamed_body(body),
    }
    response.set_max_chunk_size(chunk);
}

impl AsyncRead for ScopedBody<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Self { body, context } = &mut *self;
        resume(context, || Pin::new(body).poll_read(cx, buf))
    }
}

/// Rocket requires seeking of bodies with a size, to find the size out. Here it is set beforehand, so every
/// seek fails.
impl AsyncSeek for ScopedBody<'_> {
    fn start_seek(self: Pin<&mut Self>, _: io::SeekFrom) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn poll_complete(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<u64>> {
        Poll::Ready(Err(io::ErrorKind::Unsupported.into()))
    }
}

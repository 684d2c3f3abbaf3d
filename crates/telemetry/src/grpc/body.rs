use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

use super::Call;

const GRPC_STATUS: &str = "grpc-status";
const UNKNOWN: i32 = 2;

/// A response whose status, at its end, is that of the RPC.
#[derive(Debug)]
pub struct ObservedBody<B> {
    body: B,
    call: Option<Call>,
}

impl<B> ObservedBody<B> {
    pub(super) fn observe(response: http::Response<B>, mut call: Option<Call>) -> http::Response<Self> {
        // Without any message, the status is among the headers.
        if let Some(code) = status(response.headers())
            && let Some(call) = call.take()
        {
            call.end(code);
        }
        response.map(|body| Self { body, call })
    }

    fn end(&mut self, code: i32) {
        if let Some(call) = self.call.take() {
            call.end(code);
        }
    }
}

impl<B> Body for ObservedBody<B>
where
    B: Body<Data = Bytes> + Unpin,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let Some(call) = &self.call else {
            return Pin::new(&mut self.body).poll_frame(context);
        };
        // What a server does for its next message belongs to the RPC.
        let span = call.span.clone();
        let polled = span.in_scope(|| Pin::new(&mut self.body).poll_frame(context));
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(trailers) = frame.trailers_ref() {
                    self.end(status(trailers).unwrap_or(UNKNOWN));
                }
            }
            Poll::Ready(Some(Err(_)) | None) => self.end(UNKNOWN),
            Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn status(headers: &HeaderMap) -> Option<i32> {
    headers.get(GRPC_STATUS)?.to_str().ok()?.parse().ok()
}

//! Requests that may have to be sent again, and responses that are only handed on when they are whole.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Body as HttpBody, Frame};
use tonic::{Code, Status, body::Body};

const GRPC_STATUS: &str = "grpc-status";

/// The body of a request.
pub(super) enum Message {
    /// Can be sent once.
    Once(Unread),
    /// Can be sent again.
    Kept(Bytes),
}

/// A body that nobody has begun to read.
#[derive(Clone)]
pub(super) struct Unread(Arc<Mutex<Option<Body>>>);

/// Takes the body when it is first read.
struct Reading {
    unread: Unread,
    taken: Option<Body>,
}

impl Message {
    pub fn once(body: Body) -> Self {
        Self::Once(Unread::new(body))
    }

    /// For a request of one message, which is there already.
    pub async fn keep(body: Body) -> Result<Self, Status> {
        Ok(Self::Kept(body.collect().await?.to_bytes()))
    }

    /// To be sent; None if it was, and cannot be again.
    pub fn unread(&self) -> Option<Unread> {
        match self {
            Self::Once(unread) => unread.is_unread().then(|| unread.clone()),
            Self::Kept(bytes) => Some(Unread::new(Body::new(Full::new(bytes.clone())))),
        }
    }
}

impl Unread {
    fn new(body: Body) -> Self {
        Self(Arc::new(Mutex::new(Some(body))))
    }

    pub fn body(&self) -> Body {
        Body::new(Reading {
            unread: self.clone(),
            taken: None,
        })
    }

    /// As long as it is, the peer cannot have the message.
    pub fn is_unread(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    fn take(&self) -> Option<Body> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl HttpBody for Reading {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = self.get_mut();
        if this.taken.is_none() {
            this.taken = this.unread.take();
        }
        match &mut this.taken {
            Some(body) => Pin::new(body).poll_frame(context),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.taken.as_ref().is_some_and(HttpBody::is_end_stream)
    }
}

/// The whole of a unary response, and the status that it ends with.
pub(super) async fn whole(
    response: http::Response<Body>,
) -> Result<(http::Response<Body>, Option<Code>), Status> {
    let (parts, mut body) = response.into_parts();
    let mut code = status_in(&parts.headers);
    let mut frames = Vec::with_capacity(2);
    while let Some(frame) = body.frame().await {
        let frame = frame?;
        if let Some(trailers) = frame.trailers_ref() {
            code = code.or_else(|| status_in(trailers));
        }
        frames.push(Ok::<_, Status>(frame));
    }
    let body = Body::new(StreamBody::new(futures::stream::iter(frames)));
    Ok((http::Response::from_parts(parts, body), code))
}

/// The status of a response without a body, or of trailers.
pub(super) fn status_in(headers: &http::HeaderMap) -> Option<Code> {
    headers
        .get(GRPC_STATUS)
        .map(|value| Code::from_bytes(value.as_bytes()))
}

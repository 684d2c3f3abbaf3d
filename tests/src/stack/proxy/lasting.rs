//! Event streams that go on at the next edge when theirs breaks off, as clients let them: from the last event on.

use std::sync::Arc;

use axum::body::{Body, BodyDataStream};
use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt, stream};
use http::{
    HeaderName, HeaderValue, Method, Request, Response, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
};
use http_body_util::Full;

use super::{Shared, is_event_stream};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// A stream on its way to a client.
struct Lasting {
    shared: Arc<Shared>,
    request: Request<Full<Bytes>>,
    body: BodyDataStream,
    /// Of an event that is not complete: another edge sends it whole.
    partial: BytesMut,
    last_event_id: Option<HeaderValue>,
    /// The client has an event without an id. What came after it is lost with the edge.
    is_bound: bool,
    is_over: bool,
}

/// The body of the answer to `request`, whole events at a time. It ends where an edge ends it, and breaks off where no edge
/// goes on.
pub(super) fn lasting(
    shared: Arc<Shared>,
    request: Request<Full<Bytes>>,
    body: Body,
) -> impl Stream<Item = Result<Bytes, axum::Error>> {
    let lasting = Lasting {
        shared,
        request,
        body: body.into_data_stream(),
        partial: BytesMut::new(),
        last_event_id: None,
        is_bound: false,
        is_over: false,
    };
    stream::unfold(lasting, |mut lasting| async move {
        let next = lasting.next().await?;
        Some((next, lasting))
    })
}

impl Lasting {
    async fn next(&mut self) -> Option<Result<Bytes, axum::Error>> {
        while !self.is_over {
            match self.body.next().await {
                Some(Ok(chunk)) => {
                    self.partial.extend_from_slice(&chunk);
                    let whole = self.whole_events();
                    if !whole.is_empty() {
                        return Some(Ok(whole));
                    }
                }
                None => {
                    self.is_over = true;
                    let rest = std::mem::take(&mut self.partial);
                    return (!rest.is_empty()).then(|| Ok(rest.freeze()));
                }
                Some(Err(broken)) => {
                    self.partial.clear();
                    match self.elsewhere().await {
                        Some(body) => self.body = body.into_data_stream(),
                        None => {
                            self.is_over = true;
                            return Some(Err(broken));
                        }
                    }
                }
            }
        }
        None
    }

    /// Notes what a client would note of them.
    fn whole_events(&mut self) -> Bytes {
        let end = self.partial.windows(2).rposition(|pair| pair == b"\n\n");
        let whole = self.partial.split_to(end.map_or(0, |end| end + 2)).freeze();
        for event in String::from_utf8_lossy(&whole).split("\n\n") {
            let field = |name| event.lines().find_map(|line| line.strip_prefix(name));
            match field("id:") {
                Some(id) => self.last_event_id = HeaderValue::from_str(id.trim()).ok(),
                None => self.is_bound |= field("data:").is_some(),
            }
        }
        whole
    }

    async fn elsewhere(&mut self) -> Option<Body> {
        let mut request = self.request.clone();
        match &self.last_event_id {
            Some(id) => {
                *request.method_mut() = Method::GET;
                *request.body_mut() = Full::default();
                let headers = request.headers_mut();
                headers.remove(CONTENT_LENGTH);
                headers.remove(CONTENT_TYPE);
                headers.insert(LAST_EVENT_ID, id.clone());
            }
            None if self.is_bound => return None,
            // As if no answer had begun.
            None => {}
        }
        let response: Response<Body> = self.shared.patiently(request).await.ok()?;
        let goes_on = response.status() == StatusCode::OK && is_event_stream(&response);
        goes_on.then(|| response.into_body())
    }
}

#[cfg(test)]
mod tests {
    use std::{net::SocketAddr, time::Duration};

    use axum::{Router, extract::Request, response::IntoResponse};

    use super::*;
    use crate::stack::Proxy;

    /// Says this on a stream that breaks off, and goes on behind event 1.
    async fn edge(first: &'static str) -> SocketAddr {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let answer = async move |request: Request| {
            let body = match request.headers().get(LAST_EVENT_ID) {
                Some(id) if request.method() == Method::GET && id == "1" => {
                    Body::from("id: 2\ndata: b\n\n: the end\n\n")
                }
                Some(_) => Body::from("data: not asked for\n\n"),
                None => {
                    // What comes before goes out while this waits.
                    let broken = stream::once(async {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                        Err(axum::Error::new("killed"))
                    });
                    Body::from_stream(stream::once(async move { Ok(first) }).chain(broken))
                }
            };
            ([(CONTENT_TYPE, "text/event-stream")], body).into_response()
        };
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
        address
    }

    async fn read(first: &'static str) -> Result<String, reqwest::Error> {
        let proxy = Proxy::start().await.unwrap();
        proxy.serve(&[edge(first).await]);
        proxy.try_again();
        let posted = reqwest::Client::new().post(proxy.origin()).body("{}").send();
        posted.await.unwrap().text().await
    }

    #[tokio::test]
    async fn a_stream_goes_on_behind_its_last_whole_event() {
        let read = read("id: 1\ndata: a\n\nid: 2\ndata: hal").await.unwrap();
        assert_eq!(read, "id: 1\ndata: a\n\nid: 2\ndata: b\n\n: the end\n\n");
    }

    #[tokio::test]
    async fn a_stream_without_ids_breaks_off() {
        assert!(read("data: a\n\n").await.is_err());
    }
}

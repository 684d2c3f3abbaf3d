//! Event streams that go on at the next edge when theirs breaks off, as clients let them.
//!
//! Where events have ids, from the last one on. Where they have none (2026-07-28), the request is sent again, as its client
//! would have to; notifications that the client has already are left out.

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
    /// Notifications without an id that went to the client.
    told: usize,
    /// Those that are told again.
    known: usize,
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
        told: 0,
        known: 0,
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
                    let news = self.whole_events();
                    if !news.is_empty() {
                        return Some(Ok(news));
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

    /// Those that the client does not have. Notes what a client would note of them.
    fn whole_events(&mut self) -> Bytes {
        let mut news = BytesMut::new();
        while let Some(end) = self.partial.windows(2).position(|pair| pair == b"\n\n") {
            let event = self.partial.split_to(end + 2);
            let text = String::from_utf8_lossy(&event);
            let field = |name| text.lines().find_map(|line| line.strip_prefix(name));
            if let Some(id) = field("id:") {
                self.last_event_id = HeaderValue::from_str(id.trim()).ok();
            } else if field("data:").is_some_and(is_notification) {
                if self.known > 0 {
                    self.known -= 1;
                    continue;
                }
                self.told += 1;
            }
            news.extend_from_slice(&event);
        }
        news.freeze()
    }

    async fn elsewhere(&mut self) -> Option<Body> {
        let mut request = self.request.clone();
        if let Some(id) = &self.last_event_id {
            *request.method_mut() = Method::GET;
            *request.body_mut() = Full::default();
            let headers = request.headers_mut();
            headers.remove(CONTENT_LENGTH);
            headers.remove(CONTENT_TYPE);
            headers.insert(LAST_EVENT_ID, id.clone());
        } else {
            self.known = self.told;
        }
        let response: Response<Body> = self.shared.patiently(request).await.ok()?;
        let goes_on = response.status() == StatusCode::OK && is_event_stream(&response);
        goes_on.then(|| response.into_body())
    }
}

fn is_notification(data: &str) -> bool {
    let message: Option<serde_json::Value> = serde_json::from_str(data).ok();
    message.is_some_and(|message| message.get("method").is_some() && message.get("id").is_none())
}

#[cfg(test)]
mod tests {
    use std::{
        net::SocketAddr,
        sync::atomic::{AtomicBool, Ordering},
        time::Duration,
    };

    use axum::{Router, extract::Request, response::IntoResponse};

    use super::*;
    use crate::stack::Proxy;

    const ONE: &str = "data: {\"method\":\"m\",\"params\":1}\n\n";
    const TWO: &str = "data: {\"method\":\"m\",\"params\":2}\n\n";
    const RESULT: &str = "data: {\"id\":1,\"result\":{}}\n\n";

    /// Says `first` on a stream that breaks off, and `again` to whoever asks again.
    async fn edge(first: String, again: String) -> SocketAddr {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(AtomicBool::new(false));
        let answer = async move |request: Request| {
            let resumes = request.headers().get(LAST_EVENT_ID).is_some_and(|id| id == "1");
            let body = if !asked.swap(true, Ordering::Relaxed) {
                // What comes before goes out while this waits.
                let broken = stream::once(async {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    Err(axum::Error::new("killed"))
                });
                Body::from_stream(stream::once(async move { Ok(first) }).chain(broken))
            } else if resumes == (request.method() == Method::GET) {
                Body::from(again)
            } else {
                Body::empty()
            };
            ([(CONTENT_TYPE, "text/event-stream")], body).into_response()
        };
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
        address
    }

    async fn read(first: &str, again: &str) -> String {
        let proxy = Proxy::start().await.unwrap();
        proxy.serve(&[edge(first.to_owned(), again.to_owned()).await]);
        proxy.try_again();
        let posted = reqwest::Client::new().post(proxy.origin()).body("{}").send();
        posted.await.unwrap().text().await.unwrap()
    }

    #[tokio::test]
    async fn a_stream_goes_on_behind_its_last_whole_event() {
        let read = read(
            "id: 1\ndata: a\n\nid: 2\ndata: hal",
            "id: 2\ndata: half\n\n: the end\n\n",
        );
        assert_eq!(read.await, "id: 1\ndata: a\n\nid: 2\ndata: half\n\n: the end\n\n");
    }

    #[tokio::test]
    async fn a_stream_without_ids_is_asked_for_again_and_tells_what_is_new() {
        let all = [ONE, TWO, RESULT].concat();
        assert_eq!(read(ONE, &all).await, all);
    }

    #[tokio::test]
    async fn a_result_is_never_left_out() {
        assert_eq!(
            read(&[ONE, TWO].concat(), RESULT).await,
            [ONE, TWO, RESULT].concat()
        );
    }
}

//! How long an RPC may take.

use std::time::Duration;

use http::{HeaderMap, HeaderValue};
use tokio::time::Instant;

const GRPC_TIMEOUT: &str = "grpc-timeout";

/// In the extensions of a request that [`lasting`] made.
#[derive(Clone, Copy)]
struct FirstResponse(Duration);

/// A request whose answer is a stream that may last. It is sent without a deadline, which would end the stream too: in
/// gRPC a deadline is for the whole call. Only the beginning of the answer is awaited, for this long; some servers send
/// it with the first message.
pub fn lasting<T>(message: T, first_response: Duration) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    request.extensions_mut().insert(FirstResponse(first_response));
    request
}

/// How long a call may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    /// In all; the replica is told.
    Call(Duration),
    /// Until the answer begins.
    FirstResponse(Duration),
}

impl Patience {
    /// The call's own deadline, or the default one.
    pub fn of<B>(request: &http::Request<B>, default: Duration) -> Self {
        if let Some(FirstResponse(time)) = request.extensions().get() {
            return Self::FirstResponse(*time);
        }
        let set = request
            .headers()
            .get(GRPC_TIMEOUT)
            .and_then(|value| value.to_str().ok())
            .and_then(parse);
        Self::Call(set.unwrap_or(default))
    }

    pub fn time(self) -> Duration {
        match self {
            Self::Call(time) | Self::FirstResponse(time) => time,
        }
    }

    /// Writes what is left of the time into the request.
    pub fn send_along(self, ends: Instant, headers: &mut HeaderMap) {
        let Self::Call(_) = self else { return };
        // Eight digits at most.
        let left = (ends - Instant::now()).as_millis().clamp(1, 99_999_999);
        if let Ok(value) = HeaderValue::from_str(&format!("{left}m")) {
            headers.insert(GRPC_TIMEOUT, value);
        }
    }
}

/// `grpc-timeout` as in the gRPC over HTTP/2 specification: at most eight digits and a unit.
fn parse(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.len() > 8 {
        return None;
    }
    let amount: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(amount * 3600)),
        "M" => Some(Duration::from_secs(amount * 60)),
        "S" => Some(Duration::from_secs(amount)),
        "m" => Some(Duration::from_millis(amount)),
        "u" => Some(Duration::from_micros(amount)),
        "n" => Some(Duration::from_nanos(amount)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(patience: Patience) -> Option<String> {
        let mut headers = HeaderMap::new();
        patience.send_along(Instant::now() + patience.time(), &mut headers);
        Some(headers.get(GRPC_TIMEOUT)?.to_str().unwrap().to_owned())
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_may_last_is_sent_without_a_deadline() {
        let default = Duration::from_secs(10);
        let plain = Patience::of(&http::Request::new(()), default);
        assert_eq!(plain, Patience::Call(default));
        assert_eq!(sent(plain).as_deref(), Some("10000m"));

        let mut own = http::Request::new(());
        own.headers_mut()
            .insert(GRPC_TIMEOUT, HeaderValue::from_static("2S"));
        assert_eq!(
            Patience::of(&own, default),
            Patience::Call(Duration::from_secs(2))
        );

        let mut stream = http::Request::new(());
        *stream.extensions_mut() = lasting((), Duration::from_secs(600)).into_parts().1;
        let stream = Patience::of(&stream, default);
        assert_eq!(stream.time(), Duration::from_secs(600));
        assert_eq!(sent(stream), None);
    }

    #[test]
    fn grpc_timeouts_are_read_in_every_unit() {
        assert_eq!(parse("1H"), Some(Duration::from_secs(3600)));
        assert_eq!(parse("250m"), Some(Duration::from_millis(250)));
        assert_eq!(parse("99999999n"), Some(Duration::from_nanos(99_999_999)));
        for bad in ["", "m", "5", "5x", "123456789m", "-1S", "é"] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }
}

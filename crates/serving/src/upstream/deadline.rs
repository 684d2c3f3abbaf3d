//! How long an RPC may take.

use std::time::Duration;

use http::HeaderValue;

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

/// How long to wait for the first response: the call's own deadline, or the default one, which is then sent along.
pub(super) fn of<B>(request: &mut http::Request<B>, default: Duration) -> Duration {
    if let Some(FirstResponse(time)) = request.extensions().get() {
        return *time;
    }
    let set = request
        .headers()
        .get(GRPC_TIMEOUT)
        .and_then(|value| value.to_str().ok())
        .and_then(parse);
    set.unwrap_or_else(|| {
        if let Ok(value) = HeaderValue::from_str(&format!("{}m", default.as_millis())) {
            request.headers_mut().insert(GRPC_TIMEOUT, value);
        }
        default
    })
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

    #[test]
    fn a_stream_that_may_last_is_sent_without_a_deadline() {
        let default = Duration::from_secs(10);
        let mut plain = http::Request::new(());
        assert_eq!(of(&mut plain, default), default);
        assert_eq!(plain.headers()[GRPC_TIMEOUT], "10000m");

        let mut stream = http::Request::new(());
        *stream.extensions_mut() = lasting((), Duration::from_secs(600)).into_parts().1;
        assert_eq!(of(&mut stream, default), Duration::from_secs(600));
        assert!(!stream.headers().contains_key(GRPC_TIMEOUT));
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

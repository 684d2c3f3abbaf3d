//! The HTTP server (docs/http/http-metrics.md).

use std::time::Duration;

use opentelemetry::{
    KeyValue,
    metrics::{Histogram, UpDownCounter},
};

use super::{Metrics, names};
use crate::conventions::{
    general::{ERROR_TYPE, NETWORK_PROTOCOL_VERSION},
    http::{HTTP_REQUEST_METHOD, HTTP_RESPONSE_STATUS_CODE, HTTP_ROUTE, OTHER_METHOD, URL_SCHEME},
};

/// What is measured of HTTP requests.
#[derive(Clone, Debug)]
pub struct HttpServerMetrics {
    enabled: bool,
    duration: Histogram<f64>,
    active: UpDownCounter<i64>,
    request_size: Histogram<u64>,
    response_size: Histogram<u64>,
}

/// A request that is being served. Counts as active until it is dropped.
#[derive(Debug)]
pub struct ActiveRequest {
    metrics: HttpServerMetrics,
    method: &'static str,
    version: &'static str,
    scheme: &'static str,
}

/// What a request ended with.
#[derive(Clone, Copy, Debug)]
pub struct Ended<'a> {
    /// The route's template. None: no route matched.
    pub route: Option<&'a str>,
    pub status: u16,
    pub duration: Duration,
    /// Bytes, where they are known.
    pub request_bytes: Option<u64>,
    pub response_bytes: u64,
    /// Whether the response was sent to its end.
    pub complete: bool,
}

impl HttpServerMetrics {
    pub fn new(metrics: &Metrics) -> Self {
        let active = names::HTTP_ACTIVE;
        Self {
            enabled: metrics.is_enabled(),
            duration: metrics.seconds(names::HTTP_DURATION, names::REQUEST_BUCKETS),
            active: metrics
                .meter()
                .i64_up_down_counter(active.name)
                .with_unit(active.unit)
                .with_description(active.description)
                .build(),
            request_size: metrics.bytes(names::HTTP_REQUEST_SIZE),
            response_size: metrics.bytes(names::HTTP_RESPONSE_SIZE),
        }
    }

    /// None: nobody takes what would be measured.
    pub fn begin(
        &self,
        method: &http::Method,
        version: http::Version,
        scheme: &'static str,
    ) -> Option<ActiveRequest> {
        if !self.enabled {
            return None;
        }
        let request = ActiveRequest {
            metrics: self.clone(),
            method: known_method(method),
            version: match version {
                http::Version::HTTP_10 => "1.0",
                http::Version::HTTP_2 => "2",
                _ => "1.1",
            },
            scheme,
        };
        self.active.add(1, &request.common());
        Some(request)
    }
}

impl ActiveRequest {
    fn common(&self) -> [KeyValue; 2] {
        [
            KeyValue::new(HTTP_REQUEST_METHOD, self.method),
            KeyValue::new(URL_SCHEME, self.scheme),
        ]
    }

    pub fn ended(&self, ended: Ended<'_>) {
        let mut attributes = Vec::with_capacity(6);
        attributes.extend(self.common());
        attributes.push(KeyValue::new(HTTP_RESPONSE_STATUS_CODE, i64::from(ended.status)));
        attributes.push(KeyValue::new(NETWORK_PROTOCOL_VERSION, self.version));
        if let Some(route) = ended.route {
            attributes.push(KeyValue::new(HTTP_ROUTE, route.to_owned()));
        }
        if ended.status >= 500 {
            attributes.push(KeyValue::new(ERROR_TYPE, ended.status.to_string()));
        } else if !ended.complete {
            attributes.push(KeyValue::new(ERROR_TYPE, "client_disconnected"));
        }
        let metrics = &self.metrics;
        metrics.duration.record(ended.duration.as_secs_f64(), &attributes);
        if let Some(bytes) = ended.request_bytes {
            metrics.request_size.record(bytes, &attributes);
        }
        metrics.response_size.record(ended.response_bytes, &attributes);
    }
}

impl Drop for ActiveRequest {
    fn drop(&mut self) {
        self.metrics.active.add(-1, &self.common());
    }
}

/// Clients may send any word as a method.
fn known_method(method: &http::Method) -> &'static str {
    const KNOWN: [&str; 9] = [
        "CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE",
    ];
    let known = KNOWN.into_iter().find(|known| *known == method.as_str());
    known.unwrap_or(OTHER_METHOD)
}

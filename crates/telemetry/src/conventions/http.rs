//! HTTP server spans (docs/http/http-spans.md). `url.query` is never recorded: it holds codes and tokens.

pub const HTTP_REQUEST_METHOD: &str = "http.request.method";
pub const HTTP_REQUEST_METHOD_ORIGINAL: &str = "http.request.method_original";
pub const HTTP_RESPONSE_STATUS_CODE: &str = "http.response.status_code";
pub const HTTP_ROUTE: &str = "http.route";
pub const URL_PATH: &str = "url.path";
pub const URL_SCHEME: &str = "url.scheme";

/// For [`HTTP_REQUEST_METHOD`]: none of the methods that RFC 9110 and RFC 5789 name.
pub const OTHER_METHOD: &str = "_OTHER";

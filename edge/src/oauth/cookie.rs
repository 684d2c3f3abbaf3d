//! The cookie that binds a login to the browser that began it.

use http::{HeaderMap, HeaderValue, header::COOKIE};

use crate::config::BaseUri;

/// Browsers take a `__Host-` cookie only with Secure, Path=/ and no Domain, so that no sibling host can set it.
fn name(base: &BaseUri) -> &'static str {
    if base.is_https() {
        "__Host-everything_login"
    } else {
        "everything_login"
    }
}

/// Empty: there is none.
pub fn read(headers: &HeaderMap, base: &BaseUri) -> String {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(cookie, _)| *cookie == name(base))
        .map(|(_, value)| value.to_owned())
        .unwrap_or_default()
}

/// `Set-Cookie`. None: the value is not one that a cookie can have.
///
/// SameSite is Lax, not Strict: the upstream provider sends the user back from another site.
pub fn write(base: &BaseUri, value: &str, max_age_s: u32) -> Option<HeaderValue> {
    let is_cookie_octet = |byte: u8| byte.is_ascii_graphic() && !b"\",;\\".contains(&byte);
    if value.is_empty() || !value.bytes().all(is_cookie_octet) {
        return None;
    }
    let secure = if base.is_https() { "; Secure" } else { "" };
    let max_age = if max_age_s == 0 {
        String::new()
    } else {
        format!("; Max-Age={max_age_s}")
    };
    let cookie = format!(
        "{}={value}; Path=/; HttpOnly; SameSite=Lax{max_age}{secure}",
        name(base)
    );
    HeaderValue::from_str(&cookie).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cookie_is_locked_down() {
        let http: BaseUri = "http://localhost:3232".parse().unwrap();
        let https: BaseUri = "https://mcp.example.com".parse().unwrap();
        assert_eq!(
            write(&http, "v", 600).unwrap(),
            "everything_login=v; Path=/; HttpOnly; SameSite=Lax; Max-Age=600"
        );
        assert_eq!(
            write(&https, "v", 600).unwrap(),
            "__Host-everything_login=v; Path=/; HttpOnly; SameSite=Lax; Max-Age=600; Secure"
        );
        for bad in ["", "a;b", "a b", "a\r\nSet-Cookie: x=y", "\"", "é"] {
            assert!(write(&http, bad, 1).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn the_cookie_is_found_among_others() {
        let base: BaseUri = "http://localhost:3232".parse().unwrap();
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, "x=1; everything_loginx=2;".parse().unwrap());
        assert_eq!(read(&headers, &base), "");
        headers.append(COOKIE, "y; everything_login=abc=d; z=\"".parse().unwrap());
        assert_eq!(read(&headers, &base), "abc=d");
    }
}

use std::borrow::Cow;

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use percent_encoding::percent_decode_str;

/// With and without padding: both are seen in `data:` URIs.
const LENIENT_BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The bytes of all sources, one after the other. The error names the source.
pub(super) fn join(sources: &[String], max_bytes: usize) -> Result<Vec<u8>, String> {
    let mut joined = Vec::new();
    for (index, source) in sources.iter().enumerate() {
        let field = if sources.len() == 1 {
            "data".to_owned()
        } else {
            format!("data[{index}]")
        };
        let bytes = decode(source).map_err(|problem| format!("{field}: {problem}"))?;
        if joined.len() + bytes.len() > max_bytes {
            return Err(format!("data: must have at most {max_bytes} bytes in all"));
        }
        joined.extend_from_slice(&bytes);
    }
    Ok(joined)
}

/// Text stands for itself, a `data:` URI for what it holds (RFC 2397).
fn decode(source: &str) -> Result<Cow<'_, [u8]>, &'static str> {
    let scheme = source
        .split_once(':')
        .map(|(scheme, _)| scheme.to_ascii_lowercase());
    match scheme.as_deref() {
        // `Data: 1, 2` is text.
        Some("data") if !source["data:".len()..].starts_with(char::is_whitespace) => {
            data_uri(&source["data:".len()..]).map(Cow::Owned)
        }
        Some("http" | "https" | "ftp" | "file") if !source.contains(char::is_whitespace) => {
            Err("URLs are not fetched; pass text or a data: URI")
        }
        _ => Ok(Cow::Borrowed(source.as_bytes())),
    }
}

fn data_uri(rest: &str) -> Result<Vec<u8>, &'static str> {
    let (kind, data) = rest.split_once(',').ok_or("is a data: URI without a comma")?;
    let decoded: Vec<u8> = percent_decode_str(data).collect();
    let is_base64 = kind
        .rsplit(';')
        .next()
        .is_some_and(|last| last.trim().eq_ignore_ascii_case("base64"));
    // Without a semicolon it is a media type, whatever it says.
    if !(is_base64 && kind.contains(';')) {
        return Ok(decoded);
    }
    LENIENT_BASE64
        .decode(decoded)
        .map_err(|_| "is a data: URI whose base64 is not valid")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(sources: &[&str]) -> Result<String, String> {
        let sources: Vec<String> = sources.iter().map(|&source| source.to_owned()).collect();
        join(&sources, 20).map(|bytes| String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn text_and_data_uris_are_joined() {
        assert_eq!(joined(&["plain: text"]).unwrap(), "plain: text");
        assert_eq!(joined(&["Data: 1, 2"]).unwrap(), "Data: 1, 2");
        assert_eq!(
            joined(&[
                "a",
                "data:,b%20c",
                "data:text/plain;base64,ZGU=",
                "DATA:;base64,Zg"
            ])
            .unwrap(),
            "ab cdef"
        );
        assert_eq!(joined(&["see https://x y"]).unwrap(), "see https://x y");
    }

    #[test]
    fn what_cannot_be_taken_is_named() {
        assert_eq!(
            joined(&["https://example.com/"]).unwrap_err(),
            "data: URLs are not fetched; pass text or a data: URI"
        );
        assert_eq!(
            joined(&["a", "data:;base64,!"]).unwrap_err(),
            "data[1]: is a data: URI whose base64 is not valid"
        );
        assert_eq!(
            joined(&["data:text/plain"]).unwrap_err(),
            "data: is a data: URI without a comma"
        );
        assert_eq!(
            joined(&["0123456789", "0123456789x"]).unwrap_err(),
            "data: must have at most 20 bytes in all"
        );
    }
}

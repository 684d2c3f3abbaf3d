use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::PAGE_SIZE;
use crate::error::McpError;

const PREFIX: &str = "resources:";

pub(super) fn encode(start: usize) -> String {
    URL_SAFE_NO_PAD.encode(format!("{PREFIX}{start}"))
}

/// Where the page begins. Only what [`encode`] made for a list of at most `longest` is taken.
pub(super) fn decode(cursor: &str, longest: usize) -> Result<usize, McpError> {
    URL_SAFE_NO_PAD
        .decode(cursor)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .and_then(|text| text.strip_prefix(PREFIX)?.parse().ok())
        .filter(|&start: &usize| start > 0 && start.is_multiple_of(PAGE_SIZE) && start < longest)
        .filter(|&start| encode(start) == cursor)
        .ok_or_else(invalid)
}

/// For lists of one page, which never give a cursor out.
pub fn refuse_cursor(cursor: Option<&str>) -> Result<(), McpError> {
    cursor.map_or(Ok(()), |_| Err(invalid()))
}

fn invalid() -> McpError {
    McpError::invalid_params("invalid cursor")
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_own_cursors_are_taken() {
        assert_eq!(decode(&encode(10), 101), Ok(10));
        assert_eq!(decode(&encode(100), 101), Ok(100));
        for bad in [0, 5, 110] {
            assert_eq!(decode(&encode(bad), 101), Err(invalid()), "{bad}");
        }
        for bad in ["", "10", "not base64!", "cmVzb3VyY2VzOisxMA", "dG9vbHM6MTA"] {
            assert_eq!(decode(bad, 101), Err(invalid()), "{bad}");
        }
    }
}

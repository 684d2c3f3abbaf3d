//! Just enough HTML to find a page's form.

/// The first form of a page that posts.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Form {
    pub action: String,
    /// Names and values of its inputs.
    pub fields: Vec<(String, String)>,
    /// Names and values of its submit buttons.
    pub buttons: Vec<(String, String)>,
}

impl Form {
    pub fn find(page: &str) -> Option<Self> {
        let mut form: Option<Self> = None;
        for tag in tags(page) {
            let attribute = |name: &str| attribute(tag, name).unwrap_or_default();
            let named = (attribute("name"), attribute("value"));
            let name = tag
                .split(|c: char| c.is_whitespace() || c == '/')
                .next()
                .unwrap_or_default();
            match (name.to_ascii_lowercase().as_str(), &mut form) {
                ("form", None) if attribute("method").eq_ignore_ascii_case("post") => {
                    form = Some(Self {
                        action: attribute("action"),
                        ..Self::default()
                    });
                }
                ("input", Some(form)) if !named.0.is_empty() => match attribute("type").as_str() {
                    "submit" => form.buttons.push(named),
                    _ => form.fields.push(named),
                },
                ("button", Some(form)) if !named.0.is_empty() => form.buttons.push(named),
                ("", Some(_)) if tag.starts_with("/form") => break,
                _ => {}
            }
        }
        form
    }
}

/// What stands between `<` and `>`. A `>` within quotes does not end a tag.
fn tags(page: &str) -> impl Iterator<Item = &str> {
    page.split('<').skip(1).map(|tag| {
        let mut quote = None;
        let end = tag.find(|c| match (quote, c) {
            (None, '"' | '\'') => {
                quote = Some(c);
                false
            }
            (Some(open), c) if open == c => {
                quote = None;
                false
            }
            (None, '>') => true,
            _ => false,
        });
        &tag[..end.unwrap_or(tag.len())]
    })
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let mut rest = tag;
    while let Some(at) = rest.find(&format!("{name}=")) {
        let before = rest[..at].chars().next_back();
        rest = &rest[at + name.len() + 1..];
        if before.is_some_and(|c| !c.is_whitespace()) {
            continue;
        }
        let value = match rest.chars().next()? {
            quote @ ('"' | '\'') => rest[1..].split(quote).next()?,
            _ => rest.split(char::is_whitespace).next()?,
        };
        return Some(unescape(value));
    }
    None
}

fn unescape(text: &str) -> String {
    text.replace("&quot;", "\"")
        .replace("&#34;", "\"")
        .replace("&#39;", "'")
        .replace("&#x27;", "'")
        .replace("&#60;", "<")
        .replace("&#62;", ">")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&#38;", "&")
        .replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_is_found_with_its_fields_and_buttons() {
        let page = r#"<!doctype html><p title="a > b">x</p><form class=a method="post" action="/go?a=1&amp;b=2">
            <input type="hidden" name="t" value="&#34;x&#34;"><input name="user_id" id='u' value=''>
            <button name="decision" value="deny">No</button><button name="decision" value="approve">Yes</button>
            </form><form method="post" action="/other"><input name="z"></form>"#;
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let form = Form::find(page).unwrap();
        assert_eq!(form.action, "/go?a=1&b=2");
        assert_eq!(form.fields, [pair("t", "\"x\""), pair("user_id", "")]);
        assert_eq!(
            form.buttons,
            [pair("decision", "deny"), pair("decision", "approve")]
        );
        assert_eq!(Form::find("<form action=/search><input name=q></form>"), None);
    }
}

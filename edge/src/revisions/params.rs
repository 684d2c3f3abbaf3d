//! Reading a request's `params`: every failure is -32602 and names the parameter.

use std::collections::HashMap;

use serde_json::value::RawValue;

use super::{RequestMeta, json, json::Object};
use crate::jsonrpc::{RequestId, RpcError, quoted};

/// Bytes of a URI, name or cursor. Names travel in logs and spans, and subscriptions are kept.
const MAX_WORD_BYTES: usize = 4_096;
/// Bytes of a progress token, which is written with every notification.
const MAX_TOKEN_BYTES: usize = 1_024;
/// Arguments of a prompt.
const MAX_ARGUMENTS: usize = 100;

/// An object of parameters, and where it is.
pub(super) struct Params<'a> {
    object: Object<'a>,
    path: &'static str,
}

impl<'a> Params<'a> {
    /// Reads the named members of `params`; absent params have none.
    pub(super) fn read(
        params: Option<&'a RawValue>,
        names: &'static [&'static str],
    ) -> Result<Self, RpcError> {
        let object = match params {
            None => Object::default(),
            Some(params) => Object::pick(params.get(), names).map_err(|_| {
                RpcError::invalid_params("`params` must be an object in which no parameter occurs twice")
            })?,
        };
        Ok(Self { object, path: "" })
    }

    /// The members of a parameter that must be an object.
    pub(super) fn nested(
        &self,
        name: &'static str,
        path: &'static str,
        names: &'static [&'static str],
    ) -> Result<Params<'a>, RpcError> {
        let value = self.object(name)?.ok_or_else(|| self.wrong(name, "an object"))?;
        let object = Object::pick(value.get(), names).map_err(|_| {
            RpcError::invalid_params(format!("`{}{name}` must have no member twice", self.path))
        })?;
        Ok(Params { object, path })
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.object.get(name).is_some()
    }

    pub(super) fn is_null(&self, name: &str) -> bool {
        self.object.get(name).is_some_and(|value| value.get() == "null")
    }

    /// A boolean; absent means false.
    pub(super) fn flag(&self, name: &str) -> Result<bool, RpcError> {
        match self.object.get(name).map(RawValue::get) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(self.wrong(name, "true or false")),
        }
    }

    /// A list of at most `most` strings that name something; absent means none.
    pub(super) fn words(&self, name: &str, most: usize) -> Result<Vec<String>, RpcError> {
        let Some(value) = self.object.get(name) else {
            return Ok(Vec::new());
        };
        let must = format!("a list of at most {most} strings");
        let items = json::array(value.get()).map_err(|_| self.wrong(name, &must))?;
        if items.len() > most {
            return Err(self.wrong(name, &must));
        }
        items
            .into_iter()
            .map(|item| {
                let word = json::string(item).ok_or_else(|| self.wrong(name, &must))?;
                self.bounded(name, word.into_owned())
            })
            .collect()
    }

    pub(super) fn string(&self, name: &str) -> Result<String, RpcError> {
        self.optional_string(name)?
            .ok_or_else(|| self.wrong(name, "a string"))
    }

    /// A string that names something: bounded.
    pub(super) fn word(&self, name: &str) -> Result<String, RpcError> {
        self.bounded(name, self.string(name)?)
    }

    pub(super) fn optional_word(&self, name: &str) -> Result<Option<String>, RpcError> {
        self.optional_string(name)?
            .map(|word| self.bounded(name, word))
            .transpose()
    }

    pub(super) fn optional_string(&self, name: &str) -> Result<Option<String>, RpcError> {
        let Some(value) = self.object.get(name) else {
            return Ok(None);
        };
        match json::string(value) {
            Some(text) => Ok(Some(text.into_owned())),
            None => Err(self.wrong(name, "a string")),
        }
    }

    /// A whole number of milliseconds; null means none. More than can be counted is as many as can be.
    pub(super) fn optional_milliseconds(&self, name: &str) -> Result<Option<u64>, RpcError> {
        let Some(value) = self.object.get(name).filter(|value| value.get() != "null") else {
            return Ok(None);
        };
        match serde_json::from_str::<f64>(value.get()) {
            Ok(number) if number >= 0.0 && number.fract() == 0.0 => Ok(Some(number as u64)),
            Ok(_) | Err(_) => Err(self.wrong(name, "a whole number of milliseconds")),
        }
    }

    /// An object, unread.
    pub(super) fn object(&self, name: &str) -> Result<Option<&'a RawValue>, RpcError> {
        match self.object.get(name) {
            Some(value) if !json::is_object(value) => Err(self.wrong(name, "an object")),
            value => Ok(value),
        }
    }

    /// An object whose values are strings.
    pub(super) fn strings(&self, name: &str) -> Result<HashMap<String, String>, RpcError> {
        let Some(value) = self.object(name)? else {
            return Ok(HashMap::new());
        };
        let object = Object::parse(value.get())
            .ok()
            .filter(|object| object.iter().count() <= MAX_ARGUMENTS)
            .ok_or_else(|| {
                RpcError::invalid_params(format!(
                    "`{}{name}` must not have more than {MAX_ARGUMENTS} members, nor one twice",
                    self.path
                ))
            })?;
        object
            .iter()
            .map(|(key, value)| match json::string(value) {
                Some(text) => Ok((key.to_owned(), text.into_owned())),
                None => Err(RpcError::invalid_params(format!(
                    "{} in `{}{name}` must be a string",
                    quoted(key),
                    self.path
                ))),
            })
            .collect()
    }

    pub(super) fn request_id(&self, name: &str) -> Result<RequestId, RpcError> {
        let value = self
            .object
            .get(name)
            .ok_or_else(|| self.wrong(name, "a string or an integer"))?;
        RequestId::from_json(value.get().as_bytes())
            .map_err(|_| self.wrong(name, "the id of a request: a string or an integer"))
    }

    /// What `_meta` tells the edge. A trace context of the wrong type is passed over: it is not the call's business.
    pub(super) fn meta(&self) -> Result<RequestMeta, RpcError> {
        if !self.has("_meta") {
            return Ok(RequestMeta::default());
        }
        let meta = self.nested("_meta", "_meta.", &["progressToken", "traceparent", "tracestate"])?;
        let progress_token = meta
            .object
            .get("progressToken")
            .map(token)
            .transpose()
            .map_err(|must| RpcError::invalid_params(format!("`_meta.progressToken` must {must}")))?;
        let text = |name| meta.object.string(name).map(std::borrow::Cow::into_owned);
        Ok(RequestMeta {
            progress_token,
            traceparent: text("traceparent"),
            tracestate: text("tracestate"),
        })
    }

    /// The error for a parameter that is missing or of the wrong type.
    pub(super) fn wrong(&self, name: &str, must_be: &str) -> RpcError {
        let path = self.path;
        RpcError::invalid_params(if self.has(name) {
            format!("`{path}{name}` must be {must_be}")
        } else {
            format!("`{path}{name}` is missing; it must be {must_be}")
        })
    }

    fn bounded(&self, name: &str, word: String) -> Result<String, RpcError> {
        if word.len() > MAX_WORD_BYTES {
            return Err(self.wrong(name, &format!("at most {MAX_WORD_BYTES} bytes long")));
        }
        Ok(word)
    }
}

fn token(value: &RawValue) -> Result<Box<RawValue>, &'static str> {
    let json = value.get().as_bytes();
    if json.len() > MAX_TOKEN_BYTES {
        return Err("not be longer than 1024 bytes");
    }
    let string = json::string(value).is_some();
    let integer = matches!(json, [b'-' | b'0'..=b'9', rest @ ..] if rest.iter().all(u8::is_ascii_digit));
    if string || integer {
        Ok(value.to_owned())
    } else {
        Err("be a string or an integer")
    }
}

//! What clients answer to questions, held against what they were asked.

use everything_proto::feature::v1::{InputRequest, ListRoots, input_request::Request};
use serde_json::{Value, json, value::to_raw_value};

use crate::{
    generate::{self, bytes},
    schema,
};

/// The answer as the feature gets it; the same for every revision.
fn answer(request: Request, result: &Value) -> Result<Value, String> {
    let request = InputRequest {
        key: "k".into(),
        request: Some(request),
    };
    let result = to_raw_value(result).unwrap();
    let mut answers: Vec<Result<Value, String>> = schema::all()
        .iter()
        .map(|schema| match schema.revision.input_response(&request, &result) {
            Ok(answer) => Ok(serde_json::from_slice(&answer).unwrap()),
            Err(error) => {
                assert_eq!(error.code, -32602);
                Err(error.message)
            }
        })
        .collect();
    answers.dedup();
    assert_eq!(answers.len(), 1);
    answers.remove(0)
}

#[track_caller]
fn assert_refused(request: Request, result: Value, fault: &str) {
    let sentence = answer(request, &result).unwrap_err();
    assert!(sentence.starts_with("the client's answer to "), "{sentence}");
    assert!(sentence.ends_with(fault), "{sentence} for {result}");
}

fn form(required: &[&str]) -> Request {
    Request::ElicitationFormJson(bytes(&generate::form(required)))
}

#[test]
fn a_filled_in_form_comes_through_without_what_was_not_asked() {
    let content = json!({
        "name": "Ada", "email": "a@b", "age": 30, "score": 95.5, "agree": false, "plain": "b", "titled": "g",
        "legacy": "2", "many": ["x", "y"], "titledMany": [],
    });
    let mut more = content.clone();
    more["unasked"] = json!("x");
    let given = json!({ "action": "accept", "content": more, "_meta": { "a": 1 } });
    assert_eq!(
        answer(form(&["name"]), &given),
        Ok(json!({ "action": "accept", "content": content }))
    );
    let empty = json!({ "action": "accept", "content": {} });
    assert_eq!(
        answer(form(&[]), &json!({ "action": "accept" })),
        Ok(empty.clone())
    );
    assert_eq!(
        answer(
            form(&[]),
            &json!({ "action": "accept", "content": { "age": null } })
        ),
        Ok(empty)
    );
    let whole = json!({ "action": "accept", "content": { "age": 30.0 } });
    assert_eq!(answer(form(&[]), &whole), Ok(whole));
}

#[test]
fn a_form_not_filled_in_is_its_action() {
    for action in ["decline", "cancel"] {
        let given = json!({ "action": action, "content": { "name": 7 } });
        assert_eq!(answer(form(&["name"]), &given), Ok(json!({ "action": action })));
    }
}

#[test]
fn a_form_filled_in_wrongly_is_refused_by_field() {
    for (content, fault) in [
        (json!({}), "`name` must be filled in"),
        (json!({ "name": null }), "`name` must be filled in"),
        (json!({ "name": 7 }), "`name` must be a string"),
        (json!({ "name": "" }), "`name` must have at least 1 characters"),
        (
            json!({ "name": "éééééé" }),
            "`name` must have at most 5 characters",
        ),
        (json!({ "name": "a", "age": "30" }), "`age` must be an integer"),
        (json!({ "name": "a", "age": 1.5 }), "`age` must be an integer"),
        (json!({ "name": "a", "age": -1 }), "`age` must be at least 0"),
        (json!({ "name": "a", "age": 151 }), "`age` must be at most 150"),
        (json!({ "name": "a", "score": true }), "`score` must be a number"),
        (
            json!({ "name": "a", "agree": "yes" }),
            "`agree` must be true or false",
        ),
        (
            json!({ "name": "a", "plain": "c" }),
            "`plain` must be one of `a`, `b`",
        ),
        (
            json!({ "name": "a", "titled": "Red" }),
            "`titled` must be one of `r`, `g`",
        ),
        (
            json!({ "name": "a", "legacy": "One" }),
            "`legacy` must be one of `1`, `2`",
        ),
        (
            json!({ "name": "a", "many": "x" }),
            "`many` must be an array of strings",
        ),
        (
            json!({ "name": "a", "many": [] }),
            "`many` must have at least 1 choices",
        ),
        (
            json!({ "name": "a", "many": ["x", "y", "z"] }),
            "`many` must have at most 2 choices",
        ),
        (
            json!({ "name": "a", "many": ["w"] }),
            "`many` must be one of `x`, `y`, `z`",
        ),
        (
            json!({ "name": "a", "titledMany": ["P"] }),
            "`titledMany` must be one of `p`, `q`",
        ),
        (
            json!(7),
            "`content` must be an object in which no field occurs twice",
        ),
    ] {
        assert_refused(
            form(&["name"]),
            json!({ "action": "accept", "content": content }),
            fault,
        );
    }
    for given in [json!({}), json!({ "action": "ok" }), json!({ "action": 7 })] {
        assert_refused(
            form(&[]),
            given,
            "`action` must be \"accept\", \"decline\" or \"cancel\"",
        );
    }
}

#[test]
fn a_visit_to_a_url_is_answered_by_an_action_alone() {
    let url =
        || Request::ElicitationUrlJson(bytes(&json!({ "message": "m", "url": "https://example.org/" })));
    let given = json!({ "action": "accept", "content": { "token": "secret" } });
    assert_eq!(answer(url(), &given), Ok(json!({ "action": "accept" })));
    assert_refused(
        url(),
        json!({ "action": null }),
        "`action` must be \"accept\", \"decline\" or \"cancel\"",
    );
}

#[test]
fn a_sampled_message_is_checked() {
    let sampling = || Request::SamplingJson(bytes(&json!({ "messages": [], "maxTokens": 1 })));
    let text = json!({ "type": "text", "text": "hello" });
    for content in [
        text.clone(),
        json!([text]),
        json!([]),
        json!({ "type": "image", "data": "AA==", "mimeType": "image/png" }),
        json!({ "type": "tool_use", "id": "1", "name": "t", "input": {} }),
    ] {
        let given = json!({ "role": "assistant", "model": "m", "content": content, "stopReason": "endTurn", "_meta": {} });
        assert_eq!(answer(sampling(), &given), Ok(given));
    }
    let with = |name: &str, value: Value| {
        let mut given = json!({ "role": "assistant", "model": "m", "content": text });
        given[name] = value;
        given
    };
    assert_refused(
        sampling(),
        with("role", json!("system")),
        "`role` must be \"user\" or \"assistant\"",
    );
    assert_refused(sampling(), with("model", json!(null)), "`model` must be a string");
    assert_refused(
        sampling(),
        with("stopReason", json!(7)),
        "`stopReason` must be a string",
    );
    assert_refused(sampling(), with("_meta", json!([])), "`_meta` must be an object");
    assert_refused(
        sampling(),
        with("content", json!("hello")),
        "`content` must be an object or an array of objects",
    );
    assert_refused(
        sampling(),
        with("content", json!({ "type": "text" })),
        "must have the string `text`",
    );
    assert_refused(
        sampling(),
        with("content", json!([{ "type": "video" }])),
        "must be text, image, audio, tool_use or tool_result",
    );
    assert_refused(
        sampling(),
        json!({ "role": "user", "model": "m" }),
        "`content` is missing",
    );
}

#[test]
fn roots_are_checked() {
    let roots = || Request::ListRoots(ListRoots {});
    let given = json!({ "roots": [{ "uri": "file:///a", "name": "A" }, { "uri": "file:///b" }] });
    assert_eq!(answer(roots(), &given), Ok(given));
    assert_eq!(
        answer(roots(), &json!({ "roots": [], "_meta": {} })),
        Ok(json!({ "roots": [] }))
    );
    assert_refused(roots(), json!({}), "`roots` must be an array");
    assert_refused(roots(), json!({ "roots": {} }), "`roots` must be an array");
    assert_refused(
        roots(),
        json!({ "roots": ["file:///a"] }),
        "a root must be an object",
    );
    assert_refused(
        roots(),
        json!({ "roots": [{ "name": "A" }] }),
        "`uri` of a root must be a string",
    );
    assert_refused(
        roots(),
        json!({ "roots": [{ "uri": "file:///a", "name": 7 }] }),
        "`name` of a root must be a string",
    );
}

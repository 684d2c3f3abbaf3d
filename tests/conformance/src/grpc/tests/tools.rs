use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use everything_proto::{
    events::v1::{change, list_changed::List},
    feature::v1::LogLevel,
};
use tokio::time::Instant;

use super::*;
use crate::media;

#[tokio::test]
async fn simple_text_takes_no_arguments_at_all() {
    let expected = text("This is a simple text response for testing.");
    let client = Client::new();
    assert_eq!(client.result("test_simple_text", Value::Null).await, expected);
    assert_eq!(client.result("test_simple_text", json!({})).await, expected);
}

#[tokio::test]
async fn an_image_is_a_png() {
    let result = Client::new().result("test_image_content", json!({})).await;
    let image = json!({ "type": "image", "data": media::PNG, "mimeType": "image/png" });
    assert_eq!(result, json!({ "content": [image] }));
    assert!(
        STANDARD
            .decode(media::PNG)
            .unwrap()
            .starts_with(b"\x89PNG\r\n\x1a\n")
    );
}

#[tokio::test]
async fn a_sound_is_a_wav_file() {
    let result = Client::new().result("test_audio_content", json!({})).await;
    let audio = json!({ "type": "audio", "data": media::WAV, "mimeType": "audio/wav" });
    assert_eq!(result, json!({ "content": [audio] }));
    let wav = STANDARD.decode(media::WAV).unwrap();
    assert_eq!((&wav[..4], &wav[8..16]), (&b"RIFF"[..], &b"WAVEfmt "[..]));
    assert_eq!(
        u32::from_le_bytes(wav[4..8].try_into().unwrap()) as usize,
        wav.len() - 8
    );
}

#[tokio::test]
async fn an_embedded_resource_comes_whole() {
    let result = Client::new().result("test_embedded_resource", json!({})).await;
    let resource = json!({
        "uri": "test://embedded-resource",
        "mimeType": "text/plain",
        "text": "This is an embedded resource content.",
    });
    assert_eq!(
        result,
        json!({ "content": [{ "type": "resource", "resource": resource }] })
    );
}

#[tokio::test]
async fn content_types_mix_in_one_result() {
    let result = Client::new()
        .result("test_multiple_content_types", json!({}))
        .await;
    let resource = json!({
        "uri": "test://mixed-content-resource",
        "mimeType": "application/json",
        "text": r#"{"test":"data","value":123}"#,
    });
    let expected = json!({ "content": [
        { "type": "text", "text": "Multiple content types test:" },
        { "type": "image", "data": media::PNG, "mimeType": "image/png" },
        { "type": "resource", "resource": resource },
    ]});
    assert_eq!(result, expected);
}

#[tokio::test]
async fn a_failing_tool_is_a_result_and_not_an_error() {
    let result = Client::new().result("test_error_handling", json!({})).await;
    let content = json!([{ "type": "text", "text": "This tool intentionally returns an error for testing" }]);
    assert_eq!(result, json!({ "content": content, "isError": true }));
}

#[tokio::test(start_paused = true)]
async fn three_messages_are_logged_fifty_milliseconds_apart() {
    let began = Instant::now();
    let events = Client::new()
        .events("test_tool_with_logging", json!({}), Value::Null, b"")
        .await;
    let logs: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Log(log) => Some((log.level(), parsed(&log.data_json))),
            _ => None,
        })
        .collect();
    let expected = [
        "Tool execution started",
        "Tool processing data",
        "Tool execution completed",
    ];
    assert_eq!(logs, expected.map(|message| (LogLevel::Info, json!(message))));
    assert!(matches!(events[3..], [Event::Result(_)]), "{events:?}");
    assert_eq!(began.elapsed(), Duration::from_millis(100));
}

#[tokio::test(start_paused = true)]
async fn progress_goes_from_nought_to_a_hundred() {
    let began = Instant::now();
    let events = Client::new()
        .events("test_tool_with_progress", json!({}), Value::Null, b"")
        .await;
    let progress: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Progress(progress) => Some((progress.progress, progress.total)),
            _ => None,
        })
        .collect();
    assert_eq!(
        progress,
        [(0.0, Some(100.0)), (50.0, Some(100.0)), (100.0, Some(100.0))]
    );
    assert!(matches!(events[3..], [Event::Result(_)]), "{events:?}");
    assert_eq!(began.elapsed(), Duration::from_millis(100));
}

#[tokio::test(start_paused = true)]
async fn a_reconnection_closes_the_stream_for_a_tenth_of_a_second() {
    let began = Instant::now();
    let events = Client::new()
        .events("test_reconnection", json!({}), Value::Null, b"")
        .await;
    let [Event::CloseStream(close), Event::Result(result)] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(close.retry_ms, 100);
    let result: Value = serde_json::from_slice(&result.result_json).unwrap();
    assert_eq!(result["isError"], Value::Null);
    assert_eq!(began.elapsed(), Duration::from_millis(100));
}

#[tokio::test]
async fn the_logging_tool_logs_and_ends() {
    let events = Client::new()
        .events("test_logging_tool", json!({}), Value::Null, b"")
        .await;
    assert!(
        matches!(events[..], [Event::Log(_), Event::Result(_)]),
        "{events:?}"
    );
}

#[tokio::test]
async fn greetings_are_exact() {
    let client = Client::new();
    assert_eq!(
        client.result("greet", json!({ "name": "sep-2243" })).await,
        text("Hello, sep-2243!")
    );
    let refused = client.result("greet", json!({})).await;
    assert_eq!(refused["isError"], true);
    assert_eq!(
        refused["content"][0]["text"],
        "Invalid arguments: `name` is required."
    );
}

#[tokio::test]
async fn a_mirrored_argument_is_received() {
    let result = Client::new()
        .result("test_custom_header", json!({ "value": "Hello" }))
        .await;
    assert_eq!(result, text("Received value: Hello"));
}

#[tokio::test]
async fn an_unknown_tool_and_bad_arguments_are_protocol_errors() {
    let client = Client::new();
    let unknown = error(client.round("no_such_tool", json!({}), Value::Null, b"").await);
    assert_eq!(
        (unknown.code, unknown.message.as_str()),
        (-32602, "unknown tool: no_such_tool")
    );
    let array = error(
        client
            .round("test_simple_text", json!([1]), Value::Null, b"")
            .await,
    );
    assert_eq!(
        (array.code, array.message.as_str()),
        (-32602, "arguments must be an object")
    );
}

#[tokio::test]
async fn list_changes_are_announced_to_everybody() {
    let client = Client::new();
    client.result("test_trigger_tool_change", json!({})).await;
    client.result("test_trigger_prompt_change", json!({})).await;
    let announced = client.changes.since(change_feed::ChangeId::ZERO).await.unwrap();
    let lists: Vec<_> = announced
        .into_iter()
        .map(|(_, change)| match change.change.unwrap() {
            change::Change::ListChanged(changed) => changed.list(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(lists, [List::Tools, List::Prompts]);
}

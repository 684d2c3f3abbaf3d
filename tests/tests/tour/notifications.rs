use rmcp::model::{LoggingLevel, SetLevelRequestParams, SubscribeRequestParams, UnsubscribeRequestParams};
use serde_json::{Value, json};

use crate::visit::{Visit, in_time};

const UPDATED: &str = "notifications/resources/updated";
const LOGGED: &str = "notifications/message";

pub async fn update_what_was_subscribed_to(visit: &Visit) {
    let [first, second] = [1, 2].map(|id| format!("test://static/resource/{id}"));
    let times = |params: &[Value], uri: &str| params.iter().filter(|params| params["uri"] == *uri).count();
    visit.person.forget();
    for uri in [&first, &second] {
        in_time(visit.client.subscribe(SubscribeRequestParams::new(uri)))
            .await
            .unwrap();
    }
    let updates = visit
        .person
        .until_all(UPDATED, |params| {
            times(params, &first) > 1 && times(params, &second) > 1
        })
        .await;
    for update in updates {
        assert!(
            update == json!({ "uri": first }) || update == json!({ "uri": second }),
            "{update}"
        );
    }

    in_time(visit.client.unsubscribe(UnsubscribeRequestParams::new(&first)))
        .await
        .unwrap();
    // One that was on its way may still arrive.
    visit.person.forget();
    visit
        .person
        .until_all(UPDATED, |params| times(params, &second) > 1)
        .await;
    visit.person.forget();
    let updates = visit
        .person
        .until_all(UPDATED, |params| times(params, &second) > 2)
        .await;
    assert_eq!(times(&updates, &first), 0, "updates go on after unsubscribing");
    in_time(visit.client.unsubscribe(UnsubscribeRequestParams::new(&second)))
        .await
        .unwrap();
}

pub async fn log_what_was_asked_for(visit: &Visit) {
    set_level(visit, LoggingLevel::Critical).await;
    let severe = |params: &[Value]| params.iter().filter(|params| is_severe(params)).count();
    // What was on its way may still arrive.
    visit.person.forget();
    visit.person.until_all(LOGGED, |params| severe(params) > 1).await;
    visit.person.forget();
    // Of the eight levels three are severe: of six messages, nearly always one would not be.
    let logged = visit.person.until_all(LOGGED, |params| severe(params) > 5).await;
    for message in logged {
        assert!(is_severe(&message), "below the level: {message}");
        let level = message["level"].as_str().unwrap();
        let mut text = level.to_owned();
        text[..1].make_ascii_uppercase();
        assert_eq!(
            message,
            json!({ "level": level, "logger": "everything", "data": format!("{text}-level message") })
        );
    }

    set_level(visit, LoggingLevel::Debug).await;
    visit.person.forget();
    let everything = |params: &[Value]| params.iter().any(|params| !is_severe(params));
    visit.person.until_all(LOGGED, everything).await;

    // A tool's own log comes with the call.
    visit.person.forget();
    visit
        .call("longRunningOperation", json!({ "duration": 0, "steps": 1 }))
        .await;
    let own = json!({
        "level": "debug",
        "logger": "longRunningOperation",
        "data": { "message": "operation started", "duration": 0.0, "steps": 1 },
    });
    visit
        .person
        .until_all(LOGGED, |params| params.contains(&own))
        .await;
    set_level(visit, LoggingLevel::Emergency).await;
}

pub async fn show_the_standard_error(visit: &Visit) {
    visit.person.forget();
    for params in visit.person.until("notifications/stderr", 2).await {
        let content = params["content"].as_str().unwrap();
        assert!(content.ends_with(": A stderr message"), "{content}");
    }
}

fn is_severe(params: &Value) -> bool {
    ["critical", "alert", "emergency"].contains(&params["level"].as_str().unwrap())
}

async fn set_level(visit: &Visit, level: LoggingLevel) {
    in_time(visit.client.set_level(SetLevelRequestParams::new(level)))
        .await
        .unwrap();
}

//! What is logged, and what comes of it.

use everything_proto::session::v1::{
    AppendRequest, Entry, Event, OpenCall, OpenRequest, Session, entry, event,
};
use tonic::Status;

use super::Client;

pub fn text(event: &Event) -> String {
    match &event.payload {
        Some(event::Payload::MessageJson(json)) => String::from_utf8(json.to_vec()).unwrap(),
        other => panic!("not a message: {other:?}"),
    }
}

pub fn message(json: &str) -> Entry {
    Entry {
        entry: Some(entry::Entry::MessageJson(json.to_owned().into())),
        ..Entry::default()
    }
}

pub fn last(json: &str) -> Entry {
    Entry {
        r#final: true,
        ..message(json)
    }
}

pub fn asking(json: &str, request_id: &str) -> Entry {
    Entry {
        awaits_answer: request_id.to_owned(),
        ..message(json)
    }
}

pub fn open(edge: &str) -> Entry {
    call_of(edge, false)
}

/// The same, of a call that may be run again.
pub fn open_repeatable(edge: &str) -> Entry {
    call_of(edge, true)
}

fn call_of(edge: &str, repeatable: bool) -> Entry {
    let request = OpenRequest {
        request_id_json: b"7".as_slice().into(),
        method: "tools/call".to_owned(),
        params_json: br#"{"name":"echo"}"#.as_slice().into(),
    };
    let call = OpenCall {
        edge_id: edge.to_owned(),
        requests: vec![request],
        repeatable,
        client_id: "client".to_owned(),
        scopes: vec!["mcp".to_owned()],
    };
    Entry {
        entry: Some(entry::Entry::Open(call)),
        ..Entry::default()
    }
}

/// As the edge `one`.
pub async fn append(
    client: &mut Client,
    session: &Session,
    stream: &str,
    entries: Vec<Entry>,
) -> Vec<String> {
    append_as("one", client, session, stream, entries).await.unwrap()
}

pub async fn append_as(
    edge: &str,
    client: &mut Client,
    session: &Session,
    stream: &str,
    entries: Vec<Entry>,
) -> Result<Vec<String>, Status> {
    let request = AppendRequest {
        session_id: session.session_id.clone(),
        user_id: session.user_id.clone(),
        stream: stream.to_owned(),
        entries,
        edge_id: edge.to_owned(),
        ..AppendRequest::default()
    };
    Ok(client.append(request).await?.into_inner().event_ids)
}

use everything_edge::sse::{Frame, KEEP_ALIVE};

#[test]
fn an_event_is_its_fields_and_an_empty_line() {
    let frame = Frame {
        id: Some("7-0"),
        event: Some("message"),
        retry: Some(1500),
        data: Some(b"{}"),
    };
    assert_eq!(
        frame.encode(),
        "event: message\nid: 7-0\nretry: 1500\ndata: {}\n\n"
    );
    assert_eq!(
        Frame::message(Some("7-1"), b"{\"a\":1}").encode(),
        "id: 7-1\ndata: {\"a\":1}\n\n"
    );
    assert_eq!(Frame::message(None, b"{}").encode(), "data: {}\n\n");
}

#[test]
fn a_priming_event_has_an_id_and_empty_data() {
    assert_eq!(Frame::priming("g_0-0", None).encode(), "id: g_0-0\ndata: \n\n");
    assert_eq!(
        Frame::priming("g_0-0", Some(0)).encode(),
        "id: g_0-0\nretry: 0\ndata: \n\n"
    );
}

#[test]
fn the_first_event_of_the_old_transport_says_where_to_post() {
    assert_eq!(
        Frame::endpoint("/message?sessionId=1").encode(),
        "event: endpoint\ndata: /message?sessionId=1\n\n"
    );
}

#[test]
fn a_retry_alone_dispatches_nothing() {
    assert_eq!(
        Frame {
            retry: Some(3000),
            ..Frame::default()
        }
        .encode(),
        "retry: 3000\n\n"
    );
}

#[test]
fn data_of_several_lines_stays_one_event() {
    assert_eq!(
        Frame::message(None, b"{\n \"a\":1\r\n}\r").encode(),
        "data: {\ndata:  \"a\":1\ndata: }\ndata: \n\n"
    );
    assert_eq!(
        Frame::message(None, b"\n\n").encode(),
        "data: \ndata: \ndata: \n\n"
    );
    assert_eq!(
        Frame::message(None, b"\ndata: forged\n\nid: 9").encode(),
        "data: \ndata: data: forged\ndata: \ndata: id: 9\n\n"
    );
}

#[test]
fn a_field_cannot_begin_another() {
    let frame = Frame {
        id: Some("1\ndata: forged\r\n\0"),
        event: Some("x\r\n\r\nevent: y"),
        retry: None,
        data: Some(b"1"),
    };
    assert_eq!(frame.encode(), "event: xevent: y\nid: 1data: forged\ndata: 1\n\n");
}

#[test]
fn a_keep_alive_is_a_comment() {
    assert_eq!(KEEP_ALIVE, ": keep-alive\n\n");
}

//! A tool whose end can be seen from outside, for tests of who stops it, and how soon.

use std::{net::Ipv4Addr, time::Duration};

use serde_json::{Value, json};
use tokio::{
    net::TcpStream,
    time::{Instant, sleep, sleep_until},
};

use crate::call::{Answer, Call, Failure, text_result, tool_error};

/// Far above what any test waits.
const LONGEST: Duration = Duration::from_secs(60);
/// Between two reports.
const PAUSE: Duration = Duration::from_millis(20);

pub fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "port": { "type": "integer", "description": "Who is connected to on this machine as long as the tool runs" },
        },
        "required": ["port"],
    })
}

/// Keeps a connection open until it is stopped: whoever is connected to sees the end the moment it comes.
pub async fn run(call: Call) -> Answer {
    let port = call.arguments.get("port").and_then(Value::as_u64);
    let Some(port) = port.and_then(|port| u16::try_from(port).ok()) else {
        return Ok(tool_error("Invalid arguments: `port` must be a port number."));
    };
    let held = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await;
    let held = held.map_err(|_| Failure::invalid_params("nobody listens at that port"))?;
    let until = Instant::now() + LONGEST;
    let reports = async {
        for report in 1_u32.. {
            call.reporter.progress(report.into(), 3_000.0, "Holding").await;
            sleep(PAUSE).await;
        }
    };
    tokio::select! {
        () = reports => {}
        () = sleep_until(until) => {}
    }
    drop(held);
    Ok(text_result("Nobody stopped it."))
}

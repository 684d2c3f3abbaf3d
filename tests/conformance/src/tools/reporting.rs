//! Tools that say something before they end.

use std::time::Duration;

use tokio::time::sleep;

use crate::call::{Answer, Call, text_result};

/// Between two reports, as the suite documents it.
const PAUSE: Duration = Duration::from_millis(50);
/// How long a client whose stream was closed is to wait (SEP-1699), and how long the result takes.
const RECONNECTION: Duration = Duration::from_millis(100);

pub async fn with_logging(call: Call) -> Answer {
    call.reporter.info("Tool execution started").await;
    sleep(PAUSE).await;
    call.reporter.info("Tool processing data").await;
    sleep(PAUSE).await;
    call.reporter.info("Tool execution completed").await;
    Ok(text_result("Tool with logging executed successfully"))
}

pub async fn with_progress(call: Call) -> Answer {
    for (step, progress) in [0.0, 50.0, 100.0].into_iter().enumerate() {
        if step > 0 {
            sleep(PAUSE).await;
        }
        call.reporter
            .progress(progress, 100.0, &format!("Completed step {progress} of 100"))
            .await;
    }
    Ok(text_result("Tool with progress executed successfully"))
}

pub async fn logging_tool(call: Call) -> Answer {
    call.reporter.info("Logging tool executed").await;
    Ok(text_result("Logging tool executed"))
}

pub async fn reconnection(call: Call) -> Answer {
    call.reporter.close_stream(RECONNECTION).await;
    sleep(RECONNECTION).await;
    Ok(text_result(
        "Reconnection test completed successfully. If you received this, the client properly reconnected after stream closure.",
    ))
}

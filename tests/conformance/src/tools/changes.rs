//! Tools that announce a change to everybody who listens.

use everything_proto::events::v1::{Change, ListChanged, change, list_changed::List};

use crate::call::{Answer, Call, Failure, INTERNAL_ERROR, text_result};

pub async fn tools(call: Call) -> Answer {
    announce(call, List::Tools, "Announced that the list of tools changed").await
}

pub async fn prompts(call: Call) -> Answer {
    announce(call, List::Prompts, "Announced that the list of prompts changed").await
}

async fn announce(call: Call, list: List, done: &str) -> Answer {
    let change = Change {
        change: Some(change::Change::ListChanged(ListChanged { list: list.into() })),
        ..Change::default()
    };
    match call.changes.publish(change).await {
        Ok(_) => Ok(text_result(done)),
        Err(error) => {
            tracing::warn!(%error, "change not published");
            Err(Failure {
                code: INTERNAL_ERROR,
                message: "the change could not be announced; try again".to_owned(),
                data: None,
            })
        }
    }
}

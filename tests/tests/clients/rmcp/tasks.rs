//! Calls that become tasks.

use std::time::Duration;

use anyhow::{Context, bail};
use rmcp::model::{
    CallToolResponse, CallToolResult, CancelTaskParams, GetTaskParams, InputRequest, TaskPayload,
    UpdateTaskParams,
};
use serde_json::{Value, json};
use system_tests::rmcp_client::DEADLINE;
use tokio::time::{sleep, timeout};

use super::{Unsupported, Visit, first_text, in_time, json, params};
use crate::clients::script::Era;

/// Between two looks at a task.
const LOOK: Duration = Duration::from_millis(20);

impl Visit<'_> {
    pub(super) async fn task(&self, with: &Value) -> anyhow::Result<Value> {
        if self.era == Era::Legacy {
            return self.core_task(with);
        }
        let task = self.begin(&with["call"]).await?;
        let mut statuses = vec![json(&task.status)?];
        let midway = self.reaches(&task.task_id, |payload| {
            matches!(payload, TaskPayload::InputRequired { .. })
        });
        let TaskPayload::InputRequired { input_requests } = midway.await? else {
            bail!("nothing is asked");
        };
        statuses.push(json!("input_required"));
        let mut asked = Vec::new();
        let mut answers = std::collections::BTreeMap::new();
        for (key, request) in input_requests {
            let InputRequest::Elicitation(request) = request else {
                bail!("not a form");
            };
            let question = json(&request)?["params"].clone();
            asked.push(json!({ "mode": question["mode"], "message": question["message"] }));
            let fields = question["requestedSchema"]["properties"]
                .as_object()
                .context("no form")?;
            let content: serde_json::Map<_, _> = fields
                .keys()
                .map(|field| (field.clone(), self.answers["steps"][field].clone()))
                .collect();
            answers.insert(key, json!({ "action": "accept", "content": content }));
        }
        in_time(
            self.client
                .update_task(UpdateTaskParams::new(task.task_id.clone(), answers)),
        )
        .await??;
        let ended = self
            .reaches(&task.task_id, |payload| payload.status().is_terminal())
            .await?;
        statuses.push(json(&ended.status())?);
        let TaskPayload::Completed { result } = ended else {
            bail!("it ended otherwise");
        };
        let result: CallToolResult = serde_json::from_value(Value::Object(result))?;
        let title = first_text(&result)?.lines().next().map(str::to_owned);

        let endless = self.begin(&with["endless"]).await?;
        in_time(
            self.client
                .cancel_task(CancelTaskParams::new(endless.task_id.clone())),
        )
        .await??;
        let cancelled = self
            .reaches(&endless.task_id, |payload| payload.status().is_terminal())
            .await?;
        Ok(json!({
            "statuses": statuses,
            "asked": asked,
            "title": title,
            "endless": json(&cancelled.status())?,
        }))
    }

    /// The experimental tasks of 2025-11-25 need a member of the call's parameters.
    fn core_task(&self, with: &Value) -> anyhow::Result<Value> {
        let mut call = with["call"].clone();
        call["task"] = json!({ "ttl": 60_000 });
        if json(&params(&call)?)?["task"].is_null() {
            return Err(Unsupported("a call cannot ask to become a task of 2025-11-25").into());
        }
        bail!("calls can ask to become tasks by now");
    }

    async fn begin(&self, call: &Value) -> anyhow::Result<rmcp::model::Task> {
        match in_time(self.client.call_tool_once(params(call)?)).await?? {
            CallToolResponse::Task(created) => Ok(created.task),
            other => bail!("not a task: {other:?}"),
        }
    }

    /// Polls until the task is as it should be.
    async fn reaches(&self, id: &str, right: impl Fn(&TaskPayload) -> bool) -> anyhow::Result<TaskPayload> {
        let polling = async {
            loop {
                let found = self.client.get_task(GetTaskParams::new(id.to_owned())).await?;
                if right(&found.task.payload) {
                    return anyhow::Ok(found.task.payload);
                }
                sleep(LOOK).await;
            }
        };
        timeout(DEADLINE, polling)
            .await
            .context("the task does not get on")?
    }
}

use std::{collections::HashMap, sync::Arc, time::Duration};

use everything_proto::{
    events::v1::{change, list_changed::List},
    feature::v1::{CallContext, ListToolsRequest, tool::TaskSupport},
};
use moka::future::Cache;
use serving::CancellationToken;
use tokio::sync::broadcast;

use crate::{
    error::Fault,
    mcp::{Mcp, link::News},
    revisions::mirrored_headers::{MirroredParam, mirrored_params},
};

/// Users whose tools are remembered.
const USERS: u64 = 1_000;
const AGE: Duration = Duration::from_secs(30);
/// Pages of tools that are read; a service that has more goes round in circles.
const MAX_PAGES: usize = 100;

type ByTool = HashMap<String, Arc<ToolFacts>>;

/// What the edge must know of a tool to call it.
#[derive(Debug, Default)]
pub struct ToolFacts {
    pub mirrored: Vec<MirroredParam>,
    pub task_support: TaskSupport,
    pub asks_before_task: bool,
    /// By its annotations it can be called twice without harm: it only reads, or is idempotent.
    pub repeatable: bool,
}

/// Which arguments of which tool are repeated in headers, which can be tasks, and which can be called again, by user, as
/// users may see different tools.
#[derive(Clone)]
pub struct KnownTools(Cache<Arc<str>, Arc<ByTool>>);

impl KnownTools {
    /// Forgets what changed, as long as `news` come and until `shutdown`.
    pub fn start(mut news: broadcast::Receiver<News>, shutdown: CancellationToken) -> Self {
        let cache = Cache::builder().max_capacity(USERS).time_to_live(AGE).build();
        let forgetting = Self(cache.clone());
        tokio::spawn(async move {
            loop {
                let news = tokio::select! {
                    news = news.recv() => news,
                    () = shutdown.cancelled() => return,
                };
                let changed = match news {
                    Ok(News::Change(change)) => matches!(
                        &change.change,
                        Some(change::Change::ListChanged(changed)) if changed.list() == List::Tools
                    ),
                    Ok(News::Gap) | Err(broadcast::error::RecvError::Lagged(_)) => true,
                    Err(broadcast::error::RecvError::Closed) => return,
                };
                if changed {
                    forgetting.0.invalidate_all();
                }
            }
        });
        Self(cache)
    }

    /// What is known of a tool; nothing of one that does not exist.
    pub async fn of(&self, mcp: &Mcp, context: CallContext, tool: &str) -> Result<Arc<ToolFacts>, Fault> {
        let user: Arc<str> = context
            .principal
            .as_ref()
            .map_or("", |principal| &principal.user_id)
            .into();
        let by_tool = self
            .0
            .try_get_with(user, load(mcp, context))
            .await
            .map_err(|fault| *fault)?;
        Ok(by_tool.get(tool).cloned().unwrap_or_default())
    }
}

/// Reads all tools, and keeps what is not usual.
async fn load(mcp: &Mcp, context: CallContext) -> Result<Arc<ByTool>, Fault> {
    let mut by_tool = ByTool::new();
    let mut cursor = None;
    for _ in 0..MAX_PAGES {
        let request = ListToolsRequest {
            context: Some(context.clone()),
            cursor,
        };
        let page = mcp.clients.feature.clone().list_tools(request).await;
        let page = page.map_err(|status| Fault::from_status(&status))?.into_inner();
        for tool in page.tools {
            let facts = ToolFacts {
                mirrored: mirrored_params(&tool.input_schema_json),
                task_support: tool.task_support(),
                asks_before_task: tool.asks_before_task,
                repeatable: tool.annotations.is_some_and(|hints| {
                    hints.read_only.unwrap_or_default() || hints.idempotent.unwrap_or_default()
                }),
            };
            let is_plain = matches!(
                facts.task_support,
                TaskSupport::Unspecified | TaskSupport::Forbidden
            );
            if !facts.mirrored.is_empty() || !is_plain || facts.repeatable {
                by_tool.insert(tool.name, Arc::new(facts));
            }
        }
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    Ok(Arc::new(by_tool))
}

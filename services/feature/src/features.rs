//! All features together, and who they say they are.

use std::sync::Arc;

use change_feed::ChangeFeed;

use crate::{
    extras::Extras,
    prompts::Prompts,
    resources::{Resources, ui},
    schema::BadSchema,
    store::Store,
    tools::Tools,
};

/// Identity of the server that clients are shown.
pub const NAME: &str = "everything-server";
pub const TITLE: &str = "Everything Server";
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
pub const DESCRIPTION: &str =
    "Shows every feature of the Model Context Protocol, for people who build clients.";
/// The MCP Apps extension.
pub const UI_EXTENSION: &str = "io.modelcontextprotocol/ui";

pub const INSTRUCTIONS: &str = "\
This server shows every feature of the Model Context Protocol; nothing here has an effect on the outside world.
- echo, add, getTinyImage, annotatedMessage, getStructuredContent: plain, image, annotated and structured results.
- longRunningOperation reports progress and can be cancelled; duration is in seconds.
- sampleLLM, elicitInputs, elicitInSteps, elicitUrl and getRoots ask the client, and work only where the client \
supports it.
- getResourceReference and getResourceLinks point to the resources test://static/resource/1 to 100: odd ones are \
text, even ones are binary.
- gzipAsResource keeps a compressed file as a resource of this session for a while.
- mcpAppsHelloWorld has a user interface in clients that support MCP Apps.
- mirrorHeaders has arguments that clients repeat in HTTP headers.
- simulateResearchQuery takes a while, reports its stages, asks midway if the topic is ambiguous, and can run as a task.
- switchExtraTool and switchExtraPrompt change the lists of tools and prompts of this session.";

pub struct Features {
    pub tools: Tools,
    pub resources: Arc<Resources>,
    pub prompts: Prompts,
}

impl Features {
    /// Fails only for a schema that cannot be used, which is a bug.
    pub fn new(store: Arc<dyn Store>, feed: Arc<dyn ChangeFeed>) -> Result<Self, BadSchema> {
        let extras = Extras::new(store.clone(), feed.clone());
        let resources = Arc::new(Resources::new(store, feed));
        Ok(Self {
            tools: Tools::new(&resources, extras.clone())?,
            resources,
            prompts: Prompts::new(extras),
        })
    }
}

/// Settings of each extension served, as JSON.
pub fn extensions() -> [(&'static str, String); 1] {
    [(
        UI_EXTENSION,
        serde_json::json!({ "mimeTypes": [ui::MIME_TYPE] }).to_string(),
    )]
}
